"""Says when two pair files ask the same of Keras, and turns the recordings of one into those of another.

Keras's process runs a pair file without ever calling Lightning's functions. Two files that differ in those alone are
one job for it; the file's name and hash, which stand in what it records, are written anew.
"""

import ast
import hashlib
import json
import zipfile
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
OF_LIGHTNING = {"lightning_module", "lightning_data", "lightning_trainer", "lightning_output"}
# Code that has one of these names may read more than itself: it is no job that is known again.
READS_MORE = {
    "open", "exec", "eval", "compile_command", "__import__", "__file__", "importlib", "os", "sys", "pathlib", "time",
    "datetime", "uuid", "secrets", "subprocess", "tempfile", "shutil", "globals", "inspect",
    "__doc__",
}  # fmt: skip
METADATA = "metadata.json.npy"  # as `parity.protocol.recording` names it


def keras_code(path: Path, folder: Path) -> str | None:
    """Returns what Keras's process runs of a file and of the files beside it that it imports; None where that may vary.

    Args:
        path: of the file.
        folder: the process's: files beside it can be imported, too.
    """
    texts, waiting = {}, [path]
    while waiting:
        file = waiting.pop()
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            return None
        if file == path:
            tree.body = [node for node in tree.body if not (names_of(node) and names_of(node) <= OF_LIGHTNING)]
        nodes = list(ast.walk(tree))
        leave_out_texts(nodes)
        imported = {name for node in nodes for name in imports_of(node)}
        places = {path.parent, folder} - {PROJECT}  # the project's own files stay as they are
        in_folders = any((place / name).is_dir() for place in places for name in imported)
        if imported & READS_MORE or in_folders or any(map(is_variable, nodes)):
            return None
        texts[str(file)] = ast.unparse(tree)
        found = {place / f"{name}.py" for place in places for name in imported}
        waiting += [one for one in found if one.is_file() and str(one) not in texts]
    return json.dumps(sorted(texts.values()))


def leave_out_texts(nodes: list[ast.AST]) -> None:
    """Takes out what says something to people alone: statements that are a text and nothing else, as docstrings are."""
    for node in nodes:
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            texts = [one for one in node.body if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)]
            node.body = [one for one in node.body if one not in texts] or [ast.Pass()]


def names_of(node: ast.stmt) -> set[str]:
    """Returns the names that a function or an assignment defines; none for any other statement."""
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {target.id if isinstance(target, ast.Name) else "" for target in targets}


def imports_of(node: ast.AST) -> set[str]:
    """Returns the first names of the modules that a statement imports."""
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    return {(node.module or "").partition(".")[0]} if isinstance(node, ast.ImportFrom) else set()


def is_variable(node: ast.AST) -> bool:
    """Says whether code may give something else another time: it reads files, draws by chance, or is Lightning's."""
    if isinstance(node, ast.Name):
        return node.id in READS_MORE | OF_LIGHTNING
    if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "default_rng":
        return not (node.args and isinstance(node.args[0], ast.Constant | ast.List))
    if isinstance(node, ast.Attribute) and node.attr == "__doc__":
        return True
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "random":
        return node.attr not in ("default_rng", "Generator")
    if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("random"):
        return {alias.name for alias in node.names} != {"default_rng"}
    return isinstance(node, ast.Import) and any(alias.name.endswith("random") for alias in node.names)


def rename(folder: Path, identity: dict[str, str]) -> None:
    """Writes a pair file's name and hash into the recordings of another one, as a process would that runs this file.

    Args:
        folder: of the recordings, with the facts.
        identity: `name` and `sha256` of the pair file.
    """
    experiment = read(folder / "facts.npz")[1]["fields"]["experiment"]
    experiment["pair_file"] |= identity
    # as `parity.pair.Settings` has them
    number = hashlib.sha256(json.dumps(experiment, sort_keys=True).encode()).hexdigest()[:12]
    stamp = {"experiment_hash": number, "run_id": f"{identity['name']}-s{experiment['training']['seed']}-{number}"}
    for path in folder.glob("*.npz"):
        entries, document = read(path)
        document["fields"] |= stamp
        if "experiment" in document["fields"]:
            document["fields"]["experiment"] = experiment
        entries[METADATA] = as_array(json.dumps(document).encode())
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in entries.items():
                archive.writestr(name, data)


def read(path: Path) -> tuple[dict[str, bytes], dict]:
    """Reads a recording's files, and its metadata."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    start = 10 + int.from_bytes(entries[METADATA][8:10], "little")
    return entries, json.loads(entries[METADATA][start:])


def as_array(data: bytes) -> bytes:
    """Returns bytes as a file of numpy's has them: an array (N,) uint8."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({len(data)},), }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data
