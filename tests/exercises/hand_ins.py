"""Hand-ins of lesson 03 for the tests of grading: honest ones, odd files, and hostile ones.

Each hostile one tries its luck in the cell `softmax` (2 points). Those that do something while the
cell runs solve `rope` (3 points) rightly, so that the tests see that nothing else is lost.
"""

import json
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SOLUTION = ("### BEGIN SOLUTION\n", "### END SOLUTION")


def load(folder, name):
    return json.loads((NOTEBOOKS / folder / f"{name}.ipynb").read_text(encoding="utf-8"))


def cell_of(book, name):
    return next(
        c for c in book["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == name
    )


def answers(name="03_model"):
    """Return {cell's name: right source} of a master."""
    return {
        cell["metadata"]["nbgrader"]["grade_id"]: "".join(cell["source"])
        for cell in load("solutions", name)["cells"]
        if cell["metadata"].get("nbgrader", {}).get("solution")
    }


def handed_in(parts, name="03_model"):
    """Return the students' notebook with some cells filled in."""
    book = load("exercises", name)
    for cell, source in parts.items():
        cell_of(book, cell)["source"] = source
    return book


RIGHT = answers()
ROPE = {"rope": RIGHT["rope"]}
BOTH = {"softmax": RIGHT["softmax"], **ROPE}
GIVES_UP = "def softmax(scores):\n    return scores\n"

# --- hostile: what stands in the cell `softmax`, and a word of what is told --------------

NEEDS = {  # what of the fence must hold, so that trying it does no harm
    "reads-the-masters": "reading",
    "loads-it-again": "reading",
    "fork-bomb": "processes",
    "runs-a-program": "processes",
    "kills-the-judge": "signals",
    "opens-the-network": "network",
    "forty-gigabytes": "memory",
    "forty-gigabytes-in-a-cell": "memory",
    "changes-the-fence": "memory",
}

HOSTILE = {
    "patched-check": (
        "import lunsedu.exercises\nlunsedu.exercises.check_softmax = lambda f: True\n" + GIVES_UP,
        "",
    ),
    "patched-bool": (
        "import lunsedu.exercises as e\ne.Check.__bool__ = lambda self: True\n" + GIVES_UP,
        "",
    ),
    "patched-numpy": (
        "import numpy as np\n"
        "for name in ('abs', 'isfinite', 'isnan', 'where', 'argwhere', 'asarray', 'allclose'):\n"
        "    setattr(np, name, lambda *a, **k: True)\n" + GIVES_UP,
        "",
    ),
    "patched-builtins": (
        "import builtins\nbuiltins.AssertionError = builtins.ValueError = KeyError\n"
        "builtins.isinstance = lambda *a: True\nbuiltins.abs = lambda x: 0\n" + GIVES_UP,
        "",
    ),
    "patched-modules": (
        "import sys, types\nfake = types.ModuleType('lunsedu.exercises')\n"
        "fake.check_softmax = lambda f: True\nsys.modules['lunsedu.exercises'] = fake\n"
        "sys.modules['lunsedu.exercises.judge.compare'] = fake\n" + GIVES_UP,
        "",
    ),
    "patched-worker": (
        "import sys\n"
        "for module in list(sys.modules.values()):\n"
        "    if 'grading' in getattr(module, '__name__', ''):\n"
        "        for name in list(vars(module)):\n"
        "            if name in ('encode', '_told', 'landlock', 'run'):\n"
        "                setattr(module, name, lambda *a, **k: True)\n" + GIVES_UP,
        "",
    ),
    "exit-in-a-cell": ("import os\nos._exit(0)\n" + GIVES_UP, "ended its own process"),
    "exit-in-a-function": (
        "import os\ndef softmax(scores):\n    os._exit(0)",
        "ended its own process",
    ),
    "system-exit": ("raise SystemExit", "SystemExit"),
    "system-exit-in-a-function": (
        "def softmax(scores):\n    raise SystemExit('bye')",
        "SystemExit: bye",
    ),
    "loop-in-a-cell": ("while True:\n    pass", "still running"),
    "loop-in-a-function": (
        "def softmax(scores):\n    while True:\n        pass",
        "a loop that never ends",
    ),
    "loop-that-swallows": (
        "def softmax(scores):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException:\n            continue",
        "still running",
    ),
    "loop-in-a-thread": (
        "import threading\ndef spin():\n    while True: pass\n"
        "threading.Thread(target=spin, daemon=True).start()\n" + GIVES_UP,
        "",
    ),
    "sleeps": (
        "import time\ndef softmax(scores):\n    time.sleep(10_000)",
        "still running",
    ),
    "forty-gigabytes": (
        "def softmax(scores):\n    return bytearray(40 * 2**30)",
        "MemoryError",
    ),
    "forty-gigabytes-in-a-cell": ("import numpy as np\nx = np.ones(5 * 2**30)", "Memory"),
    "prints-fifty-megabytes": (
        "import os\ndef softmax(scores):\n    print('x' * 50_000_000)\n"
        "    os.write(1, b'y' * 50_000_000)\n    return scores",
        "",
    ),
    "returns-too-much": ("def softmax(scores):\n    return ['x' * 1_000_000] * 60", "MB of data"),
    "returns-without-end": (
        "def softmax(scores):\n    x = []\n    x.append(x)\n    return x",
        "lists more than",
    ),
    "fork-bomb": (
        "import os\ndef softmax(scores):\n    while True:\n        os.fork()",
        "PermissionError",
    ),
    "runs-a-program": (
        "import subprocess\ndef softmax(scores):\n    subprocess.run(['true'])\n    return scores",
        "PermissionError",
    ),
    "kills-the-judge": (
        "import os, signal\ndef softmax(scores):\n    os.kill(os.getppid(), signal.SIGKILL)",
        "PermissionError",
    ),
    "opens-the-network": (
        "import socket\ndef softmax(scores):\n    socket.socket()\n    return scores",
        "PermissionError",
    ),
    "reads-the-masters": (
        f"def softmax(scores):\n    return open({str(NOTEBOOKS / 'solutions/03_model.ipynb')!r})"
        ".read()",
        "PermissionError",
    ),
    "crashes-python": (
        "import ctypes\ndef softmax(scores):\n    ctypes.string_at(0)",
        "crashed Python",
    ),
    "recursion": ("def softmax(scores):\n    return softmax(scores)", "calls itself without end"),
    "reads-the-pipe": (
        "import os\ndef softmax(scores):\n    for fd in range(3, 20):\n"
        "        try: os.read(fd, 1_000_000)\n        except OSError: pass\n    return scores",
        "",
    ),
    "forges-an-answer": (
        "import json, os, struct\n"
        "def softmax(scores):\n"
        "    told = dict(value=True, problem=None, unwritten=False, changed=None, printed='',\n"
        "                traceback='', status='right', points=2, kind='data')\n"
        "    data = json.dumps(told).encode()\n"
        "    for fd in range(3, 20):\n"
        "        try: os.write(fd, (struct.pack('>I', len(data)) + data) * 50)\n"
        "        except OSError: pass\n"
        "    return scores",
        "",
    ),
    "sends-rubbish": (
        "import os\ndef softmax(scores):\n    for fd in range(3, 20):\n"
        "        try: os.write(fd, b'\\xff' * 1000)\n        except OSError: pass\n"
        "    return scores",
        "sent something that is no answer",
    ),
    "calls-back-for-nothing": (
        "import json, os, struct\n"
        "def softmax(scores):\n"
        "    data = json.dumps({'callback': 0, 'args': []}).encode()\n"
        "    for fd in range(3, 20):\n"
        "        try: os.write(fd, struct.pack('>I', len(data)) + data)\n"
        "        except OSError: pass\n"
        "    return scores",
        "sent something that is no answer",
    ),
    "floods-the-pipe": (
        "import json, os, struct\n"
        "def softmax(scores):\n"
        "    data = json.dumps({'value': 'x' * 1_000_000}).encode()\n"
        "    while True:\n        for fd in range(3, 20):\n"
        "            try: os.write(fd, struct.pack('>I', len(data)) + data)\n"
        "            except OSError: pass\n",
        "",
    ),
    "never-listens": (
        "import sys, time\nfor module in list(sys.modules.values()):\n"
        "    if getattr(module, '__name__', '').endswith('grading.wire'):\n"
        "        module.read = lambda stream: time.sleep(10_000)\n" + GIVES_UP,
        "still running",
    ),
    "fills-the-disk": (
        "import itertools\ndef softmax(scores):\n    for number in itertools.count():\n"
        "        with open(f'{number}', 'wb') as file:\n            file.write(bytes(19_000_000))",
        "wrote more files than is allowed",
    ),
    "keys-that-collide": (
        "def softmax(scores):\n    return {i * (2**61 - 1): 0 for i in range(9_000)}",
        "",
    ),
    "brackets": ("def softmax(scores):\n    return " + "-" * 90_000 + "1", ""),
    "looks-at-the-stack": (
        "import gc, sys\ndef softmax(scores):\n    frame, seen = sys._getframe(), []\n"
        "    while frame:\n        seen += list(frame.f_locals.values())\n"
        "        frame = frame.f_back\n"
        "    for thing in [*seen, *gc.get_objects()]:\n"
        "        truth = getattr(thing, 'truth', None)\n"
        "        if callable(truth):\n            return truth(scores)\n    return scores",
        "",
    ),
    "equal-to-everything": (
        "class Yes:\n    shape, dtype, ndim, size = (), float, 0, 1\n"
        "    def __getattr__(self, name): return lambda *a, **k: True\n"
        "    __eq__ = __le__ = __lt__ = __sub__ = __rsub__ = lambda self, other: True\n"
        "    __hash__ = None\n    def __bool__(self): return True\n"
        "    def __array__(self, *a, **k): raise ValueError\n"
        "    def __len__(self): return 0\n    def __iter__(self): return iter(())\n"
        "def softmax(scores):\n    return Yes()",
        "",
    ),
    "array-of-its-own": (
        "import numpy as np\nclass Sly(np.ndarray):\n"
        "    def __array_ufunc__(self, f, *a, **k): return np.zeros(self.shape)\n"
        "    def __sub__(self, other): return np.zeros(self.shape)\n    __rsub__ = __sub__\n"
        "    def __eq__(self, other): return np.ones(self.shape, bool)\n"
        "def softmax(scores):\n    return np.asarray(scores).view(Sly)",
        "",
    ),
    "asks-the-package": (
        "def softmax(scores):\n    return layers.softmax(scores)",
        "which is what this exercise asks you to write",
    ),
    "asks-it-by-another-name": (
        "from lunsedu.model.layers import softmax as s\nf = {0: s}\n"
        "def softmax(scores):\n    return f[0](scores)",
        "which is what this exercise asks you to write",
    ),
    "asks-it-in-secret": (
        "import importlib\nname = 'soft' + 'max'\n"
        "module = importlib.import_module('lunsedu.model.layers')\n"
        "def softmax(scores):\n    return getattr(module, name)(scores)",
        "what this exercise asks you to write",
    ),
    "loads-it-again": (
        "import importlib, sys\ndef softmax(scores):\n"
        "    module = importlib.reload(sys.modules['lunsedu.model.layers'])\n"
        "    return vars(module)['softmax'](scores)",
        "PermissionError",
    ),
    "asks-the-checks": (
        "def softmax(scores):\n    from lunsedu.exercises import softmax_checks\n"
        "    return softmax_checks.SOFTMAX.truth(scores)",
        "Error",
    ),
    "changes-the-fence": (
        "import resource\ndef softmax(scores):\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))\n    return bytearray(40 * 2**30)",
        "",
    ),
}
