"use strict";

// ---- charts: the values under the pointer, or at the place that the arrow keys chose

for (const figure of document.querySelectorAll(".chart")) {
  const plot = figure.querySelector(".plot"), svg = plot.querySelector("svg"), tip = plot.querySelector(".tip");
  const cursor = svg.querySelector(".cursor"), values = JSON.parse(figure.querySelector(".values").textContent);
  const width = svg.viewBox.baseVal.width;
  let place = -1;

  const show = (at) => {
    place = Math.max(0, Math.min(values.x.length - 1, at));
    cursor.setAttribute("x1", values.x[place]);
    cursor.setAttribute("x2", values.x[place]);
    cursor.setAttribute("visibility", "visible");
    tip.replaceChildren(element("strong", values.heads[place]));
    for (const row of values.rows) {
      const line = element("div");
      line.append(element("span", row.label), element("b", row.values[place]));
      tip.append(line);
    }
    tip.hidden = false;
    const right = values.x[place] > width / 2;  // beside the cursor, on the side with room
    const pixels = values.x[place] * svg.getBoundingClientRect().width / width;  // a wide chart may scroll
    tip.style.left = `${pixels + (right ? -12 : 12)}px`;
    tip.style.transform = right ? "translateX(-100%)" : "";
  };
  const hide = () => {
    tip.hidden = true;
    cursor.setAttribute("visibility", "hidden");
  };
  plot.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) * width / box.width;
    let nearest = 0;
    values.x.forEach((one, at) => { if (Math.abs(one - x) < Math.abs(values.x[nearest] - x)) nearest = at; });
    show(nearest);
  });
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const last = values.x.length - 1;
    const to = { ArrowRight: place + 1, ArrowLeft: place < 0 ? last : place - 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") hide();
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  });
}

function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;  // text, never markup
  return made;
}

// ---- the networks

const SIDE = 28, BOX = 20;

function floats(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

const ACTIVATIONS = {
  relu: (z) => Math.max(z, 0),
  sigmoid: (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z))),
  tanh: Math.tanh,
};

function unpacked(network) {
  const layers = network.layers.map((layer) => ({ ...layer, kernel: floats(layer.kernel), bias: floats(layer.bias) }));
  return { ...network, layers };
}

// z = x W + b, layer by layer; softmax at the end. `pixels` are 784 bytes; returns ten probabilities.
function probabilities(network, pixels) {
  let values = Float64Array.from(pixels, (pixel) => Math.fround(pixel / 255));
  network.layers.forEach((layer, depth) => {
    const sums = Float64Array.from(layer.bias);
    values.forEach((value, row) => {
      if (value === 0) return;
      for (let column = 0; column < layer.outputs; column++) sums[column] += value * layer.kernel[row * layer.outputs + column];
    });
    const last = depth === network.layers.length - 1;
    values = last ? sums : sums.map(ACTIVATIONS[network.activation]);
  });
  const largest = Math.max(...values), powers = values.map((z) => Math.exp(z - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return Array.from(powers, (power) => power / total);
}

// ---- a drawing becomes an image as MNIST's were made

// The share of each of `count` source pixels in each of `parts` equal parts of their length (area averaging).
function shares(count, parts) {
  const size = count / parts;
  return Array.from({ length: parts }, (_, part) => {
    const row = new Float64Array(count);
    for (let at = Math.floor(part * size); at < Math.min(count, Math.ceil((part + 1) * size)); at++) {
      row[at] = Math.max(0, Math.min((part + 1) * size, at + 1) - Math.max(part * size, at)) / size;
    }
    return row;
  });
}

// `ink` is height x width, 0 (paper) to 255; returns 784 bytes, or null where nothing is drawn.
function asMnist(ink, width, height) {
  let top = height, bottom = -1, left = width, right = -1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (ink[y * width + x] > 0) {
        top = Math.min(top, y); bottom = Math.max(bottom, y); left = Math.min(left, x); right = Math.max(right, x);
      }
    }
  }
  if (bottom < 0) return null;
  const rows = bottom - top + 1, columns = right - left + 1, longer = Math.max(rows, columns);
  const h = Math.max(1, Math.floor(rows * BOX / longer + 0.5)), w = Math.max(1, Math.floor(columns * BOX / longer + 0.5));
  const down = shares(rows, h), across = shares(columns, w);
  const small = new Float64Array(h * w);
  for (let i = 0; i < h; i++) {
    const line = new Float64Array(columns);
    for (let y = 0; y < rows; y++) {
      if (down[i][y]) for (let x = 0; x < columns; x++) line[x] += down[i][y] * ink[(top + y) * width + left + x];
    }
    for (let j = 0; j < w; j++) {
      let sum = 0;
      for (let x = 0; x < columns; x++) sum += line[x] * across[j][x];
      small[i * w + j] = sum;
    }
  }
  // the pixel in which the centre of mass lies becomes pixel 14 (from 0), as in all of MNIST's images
  let mass = 0, massY = 0, massX = 0;
  for (let i = 0; i < h; i++) {
    for (let j = 0; j < w; j++) {
      const value = small[i * w + j];
      mass += value; massY += value * (i + 0.5); massX += value * (j + 0.5);
    }
  }
  const middle = SIDE / 2, fit = (start, size) => Math.max(0, Math.min(SIDE - size, start));
  const y0 = fit(middle - Math.floor(massY / mass), h), x0 = fit(middle - Math.floor(massX / mass), w);
  const image = new Uint8Array(SIDE * SIDE);
  for (let i = 0; i < h; i++) {
    for (let j = 0; j < w; j++) image[(y0 + i) * SIDE + x0 + j] = Math.min(255, Math.floor(small[i * w + j] + 0.5));
  }
  return image;
}

// ---- draw a digit

const data = document.getElementById("drawing");
if (data) {
  const { networks: found, examples } = JSON.parse(data.textContent), networks = found.map(unpacked);
  const pad = document.getElementById("pad"), pen = pad.getContext("2d", { willReadFrequently: true });
  const given = document.getElementById("given").getContext("2d"), answer = document.getElementById("answer");
  const size = pad.width, cells = networks.map((_, at) => [...document.querySelectorAll(`[data-network="${at}"]`)]);
  let last = null, waiting = false, keys = { x: size / 2, y: size / 2, down: false };
  Object.assign(pen, { lineWidth: size / 13, lineCap: "round", lineJoin: "round", strokeStyle: "#000", fillStyle: "#000" });

  const show = (image) => {
    const picture = given.createImageData(SIDE, SIDE);
    for (let at = 0; at < SIDE * SIDE; at++) picture.data.set([image ? image[at] : 0, image ? image[at] : 0, image ? image[at] : 0, 255], 4 * at);
    given.putImageData(picture, 0, 0);
    const said = [];
    networks.forEach((network, at) => {
      const shares = image ? probabilities(network, image) : null;
      cells[at].forEach((cell) => {
        const share = shares ? shares[cell.dataset.digit] : 0;
        cell.querySelector(".fill").style.width = `${100 * share}%`;
        cell.querySelector(".value").textContent = shares ? `${(100 * share).toFixed(1)} %` : "-";
        cell.dataset.value = shares ? share : "";
      });
      if (shares) {
        const best = shares.indexOf(Math.max(...shares));
        said.push(`${network.title}: ${best} (${(100 * shares[best]).toFixed(1)} %)`);
      }
    });
    return said.length ? said.join(", ") : "Draw something.";
  };
  const look = () => {
    waiting = false;
    const rgba = pen.getImageData(0, 0, size, size).data, ink = new Float64Array(size * size);
    for (let at = 0; at < ink.length; at++) ink[at] = rgba[4 * at + 3];  // ink is what covers the paper
    answer.textContent = show(asMnist(ink, size, size));
  };
  const soon = () => {
    if (!waiting) requestAnimationFrame(look);
    waiting = true;
  };
  const stroke = (from, to) => {
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x + 0.01, to.y);  // a dot has a length, too
    pen.stroke();
    soon();
  };
  const at = (event) => {
    const box = pad.getBoundingClientRect();
    return { x: (event.clientX - box.left) * size / box.width, y: (event.clientY - box.top) * size / box.height };
  };
  const clear = () => {
    pen.clearRect(0, 0, size, size);
    keys.down = false;
    soon();
  };

  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    last = at(event);
    stroke(last, last);
  });
  pad.addEventListener("pointermove", (event) => {
    if (!last) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      const to = at(one);
      stroke(last, to);
      last = to;
    }
  });
  for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => { last = null; });
  pad.addEventListener("keydown", (event) => {
    const step = size / 28, moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key in moves) {
      const [x, y] = moves[event.key], clip = (value) => Math.max(0, Math.min(size, value));
      const to = { x: clip(keys.x + x), y: clip(keys.y + y) };
      if (keys.down) stroke(keys, to);
      Object.assign(keys, to);
      pad.style.setProperty("--x", `${100 * to.x / size}%`);  // where the keyboard's pen is
      pad.style.setProperty("--y", `${100 * to.y / size}%`);
      answer.textContent = `The pen is ${keys.down ? "down" : "up"}, at column ${Math.round(keys.x / step)}, row ${Math.round(keys.y / step)} of 28.`;
    } else if (event.key === " ") {
      keys.down = !keys.down;
      if (keys.down) stroke(keys, keys);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      clear();
    } else {
      return;
    }
    event.preventDefault();
  });
  document.getElementById("clear").addEventListener("click", clear);
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => {
      const { pixels } = examples[button.dataset.example], unit = size / SIDE;
      pen.clearRect(0, 0, size, size);
      pixels.forEach((pixel, place) => {  // shown as it is, and given to the networks as it is
        pen.globalAlpha = pixel / 255;
        pen.fillRect((place % SIDE) * unit, Math.floor(place / SIDE) * unit, unit, unit);
      });
      pen.globalAlpha = 1;
      answer.textContent = show(Uint8Array.from(pixels));
    });
  }
  show(null);
}
