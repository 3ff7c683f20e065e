"""Reading a picture: digits are centred and scaled as in MNIST, ink is separated from paper, bad files refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lightning_mlp.predict import drawing
from mlp_spec.digits.load import load_sample
from mlp_spec.support.errors import UserError


def four(size=280, paper=255, ink=0, mode="L", width=24):
    """A 4 of three strokes, in the middle of a page."""
    image = Image.new(mode, (size, size), paper)
    draw = ImageDraw.Draw(image)
    strokes = ([(130, 50), (80, 160)], [(80, 160), (200, 160)], [(170, 90), (170, 230)])
    for stroke in strokes:
        draw.line([(x * size // 280, y * size // 280) for x, y in stroke], ink, width * size // 280)
    return image


def as_read(image, tmp_path, name="picture.png", **options):
    image.save(tmp_path / name, **options)
    return drawing.read_as_mnist(tmp_path / name)


def ink_difference(first, second):
    """The share of ink in which two images differ."""
    return np.abs(first.astype(float) - second).sum() / np.maximum(first, second).sum(dtype=float)


@pytest.fixture(scope="module")
def sample():
    digits = load_sample()
    return np.concatenate([digits.train_images, digits.test_images])


# ---- as MNIST was made ---------------------------------------------------------------------------------------------


def test_three_pixels_averaged_to_two_by_hand():
    # [0, 1.5] holds pixel 0 whole and half of pixel 1: 2/3 and 1/3
    assert drawing.area_weights(3, 2) == pytest.approx(np.array([[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]]))
    assert drawing.area_weights(3, 2) @ [30, 60, 90] == pytest.approx([40, 80])


@pytest.mark.parametrize(("pixels", "fewer"), [(280, 20), (1, 20), (20, 20), (37, 1), (19, 20), (1000, 13)])
def test_the_weights_of_a_mean_sum_to_one_and_no_pixel_is_lost(pixels, fewer):
    weights = drawing.area_weights(pixels, fewer)
    assert weights.shape == (fewer, pixels)
    assert weights.sum(axis=1) == pytest.approx(np.ones(fewer))
    assert weights.sum(axis=0) == pytest.approx(np.full(pixels, fewer / pixels))


def test_the_pixel_with_the_centre_of_mass_becomes_pixel_14_by_hand():
    # masses 1, 0, 1: centre = (.5 + 2.5) / 2 = 1.5, in pixel 1, which becomes pixel 14
    assert drawing.centred_start(np.array([1, 0, 1])) == 13
    # masses 1, 1: centre = (.5 + 1.5) / 2 = 1, the start of pixel 1
    assert drawing.centred_start(np.array([1, 1])) == 13
    # masses 3, 1: centre = (1.5 + 1.5) / 4 = .75, in pixel 0
    assert drawing.centred_start(np.array([3, 1])) == 14


@pytest.mark.parametrize(("heavy", "start"), [(0, 8), (19, 0)])
def test_a_box_stays_inside_the_field(heavy, start):
    mass = np.full(20, 1e-6)
    mass[heavy] = 1
    assert drawing.centred_start(mass) == start


def test_a_tall_bar_is_scaled_to_20_and_keeps_its_shape():
    ink = np.zeros((100, 70))
    ink[10:90, 30:50] = 200  # 80 x 20 becomes 20 x 5; centres of mass 10 and 2.5: rows from 4, columns from 12
    expected = np.zeros((28, 28), np.uint8)
    expected[4:24, 12:17] = 200
    image = drawing.as_mnist(ink)
    assert image.dtype == np.uint8 and np.array_equal(image, expected)


def test_a_thin_line_is_one_pixel_wide_and_one_pixel_alone_is_a_square():
    ink = np.zeros((300, 300))
    ink[150, 20:280] = 255
    image = drawing.as_mnist(ink)
    assert np.array_equal(np.flatnonzero(image.any(axis=1)), [14]) and image[14].sum() == 20 * 255
    assert (drawing.as_mnist(np.array([[255.0]])) == 255).sum() == 400


def test_half_grey_rounds_up():
    assert drawing.as_mnist(np.array([[100.5]])).max() == 101
    assert drawing.as_mnist(np.array([[300.0]])).max() == 255


@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (5, 900)])
def test_an_empty_page_is_refused(shape):
    with pytest.raises(UserError, match="nothing is drawn"):
        drawing.as_mnist(np.zeros(shape))


def test_mnists_own_digits_come_out_as_they_went_in(sample):
    unchanged = sum(np.array_equal(drawing.as_mnist(image), image) for image in sample)
    assert unchanged >= 0.999 * len(sample)
    # a convention of another half pixel would move half of them
    centred = sample.astype(float)
    centres = (centred.sum(axis=2) * (np.arange(28))).sum(axis=1) / centred.sum(axis=(1, 2))
    assert ((centres >= 13.5) & (centres < 14.5)).all()


@pytest.mark.full
def test_the_full_mnists_digits_come_out_as_they_went_in(full_mnist):
    from mlp_spec.digits import idx

    images = idx.read_folder(full_mnist)["test_images"]
    changed = [index for index, image in enumerate(images) if not np.array_equal(drawing.as_mnist(image), image)]
    longest = [max(np.ptp(np.flatnonzero(images[index].any(axis=axis))) + 1 for axis in (0, 1)) for index in changed]
    assert changed == [4530, 9300, 9302] and longest == [19, 19, 19]  # MNIST's own box is not full there


# ---- ink and paper -------------------------------------------------------------------------------------------------


def test_a_digit_saved_as_it_is_comes_back_to_the_bit(sample, tmp_path):
    for image in sample[:40]:
        if image.max() == 255:
            for pixels in (image, 255 - image):
                assert np.array_equal(as_read(Image.fromarray(pixels), tmp_path), image)


VARIANTS = {
    "light on dark": four(paper=0, ink=255),
    "grey on grey": four(paper=200, ink=120),
    "colour": four(mode="RGB", paper=(255, 250, 205), ink=(0, 0, 139)),
    "black and white": four(mode="1", paper=1, ink=0),
    "a palette": four().convert("P"),
    "16 bits": Image.fromarray(np.asarray(four(), np.uint16) * 257),
    "dark ink on nothing": four(mode="RGBA", paper=(0, 0, 0, 0), ink=(0, 0, 0, 255)),
    "light ink on nothing": four(mode="RGBA", paper=(255, 255, 255, 0), ink=(255, 255, 255, 255)),
    "grey with transparency": four(mode="LA", paper=(0, 0), ink=(90, 255)),
    "larger": four(size=2800),
}


@pytest.mark.parametrize("kind", VARIANTS)
def test_the_same_drawing_in_every_form_is_the_same_digit(kind, tmp_path):
    expected = as_read(four(), tmp_path, "expected.png")
    assert expected.max() == 255
    assert ink_difference(as_read(VARIANTS[kind], tmp_path), expected) < 0.03


def test_what_is_transparent_in_an_opaque_page_is_paper(tmp_path):
    image = four(mode="RGBA", paper=(255, 255, 255, 255), ink=(0, 0, 0, 255))
    ImageDraw.Draw(image).rectangle((5, 5, 60, 60), (0, 0, 0, 0))  # a black hole, if transparency were not looked at
    assert np.array_equal(as_read(image, tmp_path), as_read(four(), tmp_path))


def test_a_palettes_transparent_colour_is_paper(tmp_path):
    image = four(mode="L", paper=7, ink=3).convert("P")
    digit = as_read(image, tmp_path, transparency=int(np.asarray(image)[0, 0]))
    assert ink_difference(digit, as_read(four(), tmp_path)) < 0.03


def test_the_place_on_the_page_does_not_matter(tmp_path):
    expected = as_read(four(), tmp_path)
    page = Image.new("L", (900, 400), 255)
    page.paste(four(), (600, 90))
    assert np.array_equal(as_read(page, tmp_path), expected)


@pytest.mark.parametrize("options", [{"quality": 75}, {"quality": 30}], ids=str)
def test_a_jpegs_ringing_is_no_ink(options, tmp_path):
    assert ink_difference(as_read(four(), tmp_path, "four.jpg", **options), as_read(four(), tmp_path)) < 0.15


def test_a_cmyk_jpeg(tmp_path):
    assert (
        ink_difference(as_read(four(mode="RGB").convert("CMYK"), tmp_path, "four.jpg"), as_read(four(), tmp_path)) < 0.3
    )


def test_a_phones_rotation_is_undone(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    turned = four().transpose(Image.Transpose.ROTATE_90)
    digit = as_read(turned, tmp_path, "four.jpg", quality=95, exif=exif)
    assert ink_difference(digit, as_read(four(), tmp_path, "expected.jpg", quality=95)) < 0.03


def photograph(shape=(900, 1200), drawn=True, dark=50, seed=0):
    """A 4 on evenly lit grey paper, with a sensor's noise."""
    generator = np.random.default_rng(seed)
    page = np.zeros(shape)
    if drawn:
        page[300:580, 500:780] = 1 - np.asarray(four(), float) / 255
    return Image.fromarray(
        (165 * (1 - page) + dark * page + generator.normal(0, 4, shape)).clip(0, 255).astype("uint8")
    )


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png"])
@pytest.mark.parametrize("dark", [40, 90])
def test_the_noise_of_a_photograph_is_removed(name, dark, tmp_path):
    assert ink_difference(as_read(photograph(dark=dark), tmp_path, name), as_read(four(), tmp_path)) < 0.15


def test_specks_of_dirt_are_no_ink(tmp_path):
    image = photograph()
    for speck in ((40, 40), (1100, 60), (90, 850)):
        image.putpixel(speck, 20)
    assert ink_difference(as_read(image, tmp_path, "photo.png"), as_read(four(), tmp_path)) < 0.15


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png"])
def test_a_photograph_of_an_empty_page_is_refused(name, tmp_path):
    with pytest.raises(UserError, match=f"{name}: nothing is drawn"):
        as_read(photograph(drawn=False), tmp_path, name)


@pytest.mark.parametrize("paper", [0, 137, 255])
@pytest.mark.parametrize("name", ["page.jpg", "page.png"])
def test_an_empty_page_is_named(paper, name, tmp_path):
    with pytest.raises(UserError, match=f"{name}: nothing is drawn"):
        as_read(Image.new("L", (50, 40), paper), tmp_path, name)


def test_a_page_of_one_pixel_and_a_fully_transparent_one_are_empty(tmp_path):
    for image in (Image.new("L", (1, 1), 9), Image.new("RGBA", (30, 30), (0, 0, 0, 0))):
        with pytest.raises(UserError, match="nothing is drawn"):
            as_read(image, tmp_path)


# ---- files that are no pictures ------------------------------------------------------------------------------------


def content_of(image, kind="PNG"):
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def huge():
    """A PNG of a few hundred bytes that says it has 2,500,000,000 pixels."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def damaged(kind):
    content = bytearray(content_of(four(), kind))
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    return bytes(content)


BAD = {
    "text": (b"not a picture at all", "is not a PNG or JPEG picture"),
    "empty": (b"", "is not a PNG or JPEG picture"),
    "a GIF": (content_of(four(), "GIF"), "is not a PNG or JPEG picture"),
    "a signature alone": (b"\x89PNG\r\n\x1a\n", "is not a PNG or JPEG picture"),
    "a truncated PNG": (content_of(four())[:-300], "is damaged"),
    "a truncated JPEG": (content_of(four(), "JPEG")[:-900], "is damaged"),
    "a damaged PNG": (damaged("PNG"), "is damaged"),
    "huge": (huge(), "is too large .*pixels"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_clear_error_that_names_it(kind, tmp_path):
    content, words = BAD[kind]
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        drawing.read_as_mnist(path)
    assert str(path) in str(caught.value)


def test_a_picture_just_above_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "MOST_PIXELS", 280 * 280)
    as_read(four(), tmp_path)
    with pytest.raises(UserError, match="281"):
        as_read(four(size=281), tmp_path)


def test_a_missing_file_and_a_folder(tmp_path):
    for path, words in ((tmp_path / "none.png", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(UserError, match=words):
            drawing.read_as_mnist(path)
