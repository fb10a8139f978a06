"""The package's source as data: modules, what they import, and rules that look for what must not stand there.

A rule takes ``{module: ast.Module}`` and yields ``(module, line, what)``; tests/test_house.py asks them of the package,
and of small sources that break them.
"""

import ast
import collections
import functools
import gc
import re
from pathlib import Path

from support import ROOT

PACKAGE = "ltc_np"
# What a stranger may touch although its name begins with an underscore: the documented methods of NamedTuples.
NAMED_TUPLE = {"_replace", "_fields", "_asdict", "_make", "_field_defaults"}
BACKENDS = ("numpy", "cpu", "cuda")
LOG2E = 1.4426950408889634


def parse(texts):
    """{module: tree} of {module: text}."""
    gc.disable()  # half a million nodes that all stay: collections in between take two thirds of the time
    try:
        return {name: ast.parse(text) for name, text in texts.items()}
    finally:
        gc.enable()


@functools.cache
def nodes(tree):
    """All nodes of a tree; rules look through the same trees again and again."""
    return tuple(ast.walk(tree))


@functools.cache
def import_statements(tree):
    """All `import` statements of a tree."""
    return tuple(node for node in nodes(tree) if isinstance(node, (ast.Import, ast.ImportFrom)))


@functools.cache
def package():
    """{module: tree} of `ltc_np`."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return parse(found)


def file_of(module):
    """The file of a module, from the root of the checkout."""
    path = Path(*module.split("."))
    return path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py")


def is_folder(module, trees):
    return any(other.startswith(f"{module}.") for other in trees)


def imports(module, trees):
    """(line, imported module, names) of every import of the package's own modules.

    Those inside functions count, and those that only type checkers read: a reader follows them too.
    """
    inside = module.split(".") if is_folder(module, trees) else module.split(".")[:-1]
    for node in import_statements(trees[module]):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == PACKAGE:
                    yield node.lineno, alias.name, ()
        else:
            base = inside[: len(inside) - node.level + 1] if node.level else []
            base = ".".join([*base, *(node.module.split(".") if node.module else ())])
            if base.split(".")[0] != PACKAGE:
                continue
            names = []
            for alias in node.names:
                if f"{base}.{alias.name}" in trees:
                    yield node.lineno, f"{base}.{alias.name}", ()
                else:
                    names.append(alias.name)
            if names:
                yield node.lineno, base, tuple(names)


def room(module):
    """The part of the package that a module belongs to: its folder or file directly below `ltc_np`."""
    return [*module.split("."), "__init__"][1]


def upward(trees, floors):
    """Imports that do not point to a lower floor; ``floors`` are lists of rooms, from the bottom."""
    floor = {name: k for k, names in enumerate(floors) for name in names}
    for module in trees:
        if room(module) not in floor:
            yield module, 1, f"{room(module)} stands on no floor"
            continue
        for line, other, _ in imports(module, trees):
            if room(other) != room(module) and floor.get(room(other), len(floors)) >= floor[room(module)]:
                yield module, line, f"imports {other}"


def circles(trees):
    """Modules that import each other, directly or around, and rooms that do; one line for each circle."""
    files = {m: {o for _, o, _ in imports(m, trees) if o in trees and o != m} for m in trees}
    rooms = collections.defaultdict(set)
    for module, others in files.items():
        rooms[room(module)] |= {room(other) for other in others} - {room(module)}
    for circle in strongly_connected(files):
        yield circle[0], 1, f"in a circle: {', '.join(circle)}"
    for circle in strongly_connected(rooms):
        yield f"{PACKAGE}.{circle[0]}", 1, f"rooms in a circle: {', '.join(circle)}"


def strongly_connected(graph):
    """The circles of a graph, {node: those it points to}: of each the nodes, in alphabetical order."""

    @functools.cache
    def reachable(node):
        found, todo = set(), [node]
        while todo:
            for other in graph[todo.pop()] - found:
                found.add(other)
                todo.append(other)
        return found

    found = {tuple(sorted(o for o in reachable(n) if n in reachable(o))) for n in graph if n in reachable(n)}
    return sorted(found)


def docstrings(tree):
    """The nodes of a tree's docstrings, and of texts that stand alone."""
    return {node.value for node in nodes(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}


def texts(tree):
    """(line, text) of the strings of a tree, without docstrings and `__all__`."""
    left_out = docstrings(tree)
    for node in nodes(tree):
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
                left_out |= set(ast.walk(node.value))
    for node in nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in left_out:
            yield node.lineno, node.value


def classes(trees):
    """Names of the package's public classes."""
    return {
        node.name
        for tree in trees.values()
        for node in nodes(tree)
        if isinstance(node, ast.ClassDef) and node.name[0] != "_"
    }


def names_as_text(trees, loader, allowed=()):
    """Strings that name a class or a module of the package, outside the one loader; ``allowed`` are (module, text)."""
    known = classes(trees)
    for module, tree in trees.items():
        if module == loader:
            continue
        for line, text in texts(tree):
            if (module, text) in allowed:
                continue
            path = re.fullmatch(rf"(?:{PACKAGE}(?=\.)|)((?:\.[A-Za-z]\w*)+)(?::\w+)?", text)
            if text in known or (path and any(other.endswith(path[1]) for other in trees)):
                yield module, line, f"names {text!r}"


def foreign_underscores(trees, allowed=()):
    """Underscore members of another object, and underscore names of another module; ``allowed`` are (module, name)."""
    for module, tree in trees.items():
        own = {"self", "cls"} | {node.name for node in nodes(tree) if isinstance(node, ast.ClassDef)}
        for node in nodes(tree):
            if isinstance(node, ast.Attribute) and re.match(r"_(?!_)", node.attr) and node.attr not in NAMED_TUPLE:
                value = node.value
                mine = isinstance(value, ast.Name) and value.id in own
                mine |= isinstance(value, ast.Call) and ast.unparse(value.func) in ("super", "type")
                mine |= isinstance(value, ast.Attribute) and ast.unparse(value) == "self.__class__"
                if not mine and (module, node.attr) not in allowed:
                    yield module, node.lineno, ast.unparse(node)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if re.match(r"_(?!_)", alias.name) and (module, alias.name) not in allowed:
                        yield module, node.lineno, f"imports {alias.name}"


def backend_lines(trees, rooms=("cells", "layers")):
    """Lines of cells and layers that know which backend runs: its name in a string, a comparison, its folder."""
    for module, tree in trees.items():
        if room(module) not in rooms:
            continue
        for line, text in texts(tree):
            if text in BACKENDS:
                yield module, line, f"names {text!r}"
        for node in nodes(tree):
            if isinstance(node, ast.Compare):
                for side in (node.left, *node.comparators):
                    if "backend" in (getattr(side, "attr", None), getattr(side, "id", None)):
                        yield module, node.lineno, ast.unparse(node)
        for line, other, _ in imports(module, trees):
            if other.startswith(tuple(f"{PACKAGE}.kernels.{b}" for b in BACKENDS)):
                yield module, line, f"imports {other}"


def reshapes(trees):
    """Kernels of the CPU that reshape an array, by a function of Numba that kernels which come compiled have not."""
    for module, tree in trees.items():
        if not module.startswith(f"{PACKAGE}.kernels.cpu."):
            continue
        for function in nodes(tree):
            if isinstance(function, ast.FunctionDef) and {"kernel", "helper"} & set(
                map(ast.unparse, function.decorator_list)
            ):
                for node in ast.walk(function):
                    if isinstance(node, ast.Attribute) and node.attr in ("reshape", "ravel"):
                        yield module, node.lineno, f"{node.attr} in a kernel"


def parameters(function):
    """The parameters of a function or of a class's `__init__`, as text: names, order, kinds, which have defaults."""
    if isinstance(function, ast.ClassDef):
        fields = [n.target.id for n in function.body if isinstance(n, ast.AnnAssign)]
        init = [n for n in function.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        return parameters(init[0]) if init else ", ".join(fields)
    a = ast.parse(ast.unparse(function.args).join(("def f(", "): pass"))).body[0].args
    for defaults in (a.defaults, a.kw_defaults):
        defaults[:] = [d and ast.Constant(...) for d in defaults]
    for each in (*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))):
        each.annotation = None
    return ast.unparse(a)


def defined(module, trees, known):
    """{name: definition} of the functions and classes that a module has at its top, also those it imports.

    ``known`` has those of modules that have been asked for, and gets this one's.
    """
    if module in known:
        return known[module]
    found = known[module] = {}
    for node in trees[module].body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
    for _, other, names in imports(module, trees):
        theirs = defined(other, trees, known) if other in trees else {}
        for name in names:
            if name in theirs:
                found.setdefault(name, theirs[name])
    return found


# Who loads kernels for one of several backends.
USERS = "cells", "layers", "optim", "online"


def loaded(trees, rooms=USERS):
    """Names of the kernels that cells, layers, optimisers and learners load: {name: modules that do}.

    Not those of one backend alone, which is then told by its name.
    """
    found = collections.defaultdict(set)
    for module, tree in trees.items():
        if room(module) not in rooms:
            continue
        for node in nodes(tree):
            if isinstance(node, ast.Call) and len(node.args) == 2 and ast.unparse(node.func).split(".")[-1] == "load":
                backend, name = node.args
                if isinstance(name, ast.Constant) and not isinstance(backend, ast.Constant):
                    found[name.value].add(module)
    return found


def used(trees, rooms=USERS):
    """Names of all members that those use of other things but random numbers.

    Of learners those alone that load kernels: members of the others are called like kernels by chance.
    """
    loading = {module for modules in loaded(trees, rooms).values() for module in modules}
    return {
        node.attr
        for module, tree in trees.items()
        if room(module) in rooms and (room(module) != "online" or module in loading)
        for node in nodes(tree)
        if isinstance(node, ast.Attribute) and getattr(node.value, "attr", None) != "bit_generator"
    }


# What only the definition has: a trace looks inside steps, and is made with NumPy whatever the backend.
DEFINITION_ALONE = {"observe"}


def unlike_siblings(trees):
    """Kernels' functions that cells use and that a backend lacks, or has with other parameters, than NumPy's."""
    called, known = used(trees) - DEFINITION_ALONE, {}
    for name in loaded(trees):
        definition = f"{PACKAGE}.kernels.numpy.{name}"
        if definition not in trees:
            yield definition, 1, "is missing: a cell loads it"
            continue
        wanted = {f: d for f, d in defined(definition, trees, known).items() if f in called}
        for backend in BACKENDS[1:]:
            module = f"{PACKAGE}.kernels.{backend}.{name}"
            if module not in trees:
                continue
            own = {
                node.name for node in trees[module].body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"
            }
            # What a module imports for itself may be called like something that cells use of others, as `exp` of NumPy.
            has = {f: d for f, d in defined(module, trees, known).items() if f in wanted or (f in called and f in own)}
            for f in sorted({*wanted, *has}):
                if f not in has or f not in wanted:
                    yield module, 1, f"{f} is only in {'numpy' if f in wanted else backend}"
                elif parameters(has[f]) != parameters(wanted[f]):
                    yield module, has[f].lineno, f"{f}({parameters(has[f])}), numpy: ({parameters(wanted[f])})"


def second_tables(trees, home):
    """Numbers given to names outside the one module of code tables, and constants of kernels that stand twice."""
    once = collections.defaultdict(list)
    words = {"semi_implicit", "euler", "rk4", "exponential"}
    words |= {text for _, text in texts(trees[home])} if home in trees else set()
    for module, tree in trees.items():
        for node in nodes(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, float) and abs(node.value - LOG2E) < 1e-6:
                once["log2(e)"].append((module, node.lineno))
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name) and target.id == "GRADIENT_ROWS":
                        once[target.id].append((module, node.lineno))
            if module == home:
                continue  # where they belong
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
                names = [ast.unparse(t) for t in node.targets[0].elts]
                if all(n.isupper() for n in names) and ast.unparse(node.value).startswith("range("):
                    yield module, node.lineno, f"numbers {', '.join(names)}"
            if isinstance(node, ast.Dict):
                keys = [k for k in (getattr(k, "value", None) for k in node.keys) if k in words]
                values = [type(getattr(v, "value", None)) for v in node.values]
                if len(keys) > 1 and set(values) == {int}:
                    yield module, node.lineno, f"numbers {', '.join(map(str, keys))}"
            if isinstance(node, ast.DictComp) and re.match(
                r"enumerate\([\w.]*\b[A-Z_]+\)", ast.unparse(node.generators[0].iter)
            ):
                yield module, node.lineno, f"numbers {ast.unparse(node)}"
    for name, places in once.items():
        for module, line in places[1:]:
            yield module, line, f"{name} stands in {places[0][0]} already"
