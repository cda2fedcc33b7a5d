"""Whatever is said twice agrees: pyproject.toml, environment.yml, README.md, .ci/run, CHANGELOG."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import lunsedu
from lunsedu.course.lab import lab_arguments

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
# the course itself, then what tools demand
TOP = {"notebooks", "lunsedu", "data", "tests", "environment.yml", "README.md"} | {
    *("pyproject.toml", "LICENSE", "CHANGELOG.md", "CITATION.cff"),
    *(".ci", ".github", ".gitignore", ".gitattributes", ".devcontainer.json"),
}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))

COMMANDS = re.findall(r'^(?:cmd /c ")?(git clone URL .*?)"?$', README, flags=re.MULTILINE)
TEST_COMMANDS = [line for line in COMMANDS if "pytest" in line]
OPEN_COMMANDS = [line for line in COMMANDS if line.endswith(" lab")]


def requirements(lines):
    """{name: version range} of requirement lines."""
    parsed = [Requirement(line) for line in lines]
    return {requirement.name.lower(): requirement.specifier for requirement in parsed}


def after_python(command):
    """What a shell command gives to Python last of all: "-m pytest"."""
    return command.split("&&")[-1].partition("python")[2].strip().strip('"')


def test_the_version_is_said_the_same_everywhere():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\d\S*)", changelog, flags=re.MULTILINE)[1] == lunsedu.__version__
    assert f"version = {{{lunsedu.__version__}}}" in README
    assert PYPROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "lunsedu.__version__"}


def test_nothing_strange_lies_at_the_top():
    git = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files"], capture_output=True, encoding="utf-8", check=False
    )
    if git.returncode or "pyproject.toml" not in git.stdout.splitlines():
        pytest.skip("git keeps no list of files here")
    assert {path.partition("/")[0] for path in git.stdout.splitlines()} <= TOP


def test_conda_gets_the_same_requirements_as_pip():
    conda = [line for line in ENVIRONMENT["dependencies"] if isinstance(line, str)]
    conda.remove("pip")
    python = next(line for line in conda if line.startswith("python="))
    conda.remove(python)
    pip = PYPROJECT["project"]["dependencies"] + EXTRAS["lab"] + EXTRAS["test"]
    assert requirements(conda) == requirements(pip)
    assert ENVIRONMENT["dependencies"][-1] == {"pip": ["-e ."]}
    # one version, not a range: Binder reads a range as "any"
    assert re.fullmatch(r"python=3\.\d+", python)
    wanted = SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert wanted.contains(python.removeprefix("python="))


def test_the_readme_has_both_commands_for_three_systems():
    assert len(OPEN_COMMANDS) == len(TEST_COMMANDS) == 3 and len(COMMANDS) == 6
    for command in COMMANDS:
        conda = "conda env create -f environment.yml" in command
        assert conda or "python3 -m venv .venv" in command or "py -m venv .venv" in command
        assert not conda or f"-n {ENVIRONMENT['name']} " in command
        for extras in re.findall(r"\.\[([\w,]+)\]", command):
            assert set(extras.split(",")) <= set(EXTRAS)


def test_the_course_opens_at_a_notebook_that_is_there():
    assert {after_python(command) for command in OPEN_COMMANDS} == {"-m lunsedu lab"}
    assert lab_arguments(ROOT)[-1] == str(ROOT / "notebooks" / "00_quick_tour.ipynb")


def test_ci_runs_exactly_the_readmes_test_command():
    runs = re.findall(r'^"\$python" (-m pytest.*?)(?: \|\|.*)?$', CI, flags=re.MULTILINE)
    assert runs == ["-m pytest"]
    assert {after_python(command) for command in TEST_COMMANDS} == set(runs)
    installed = set(re.search(r"^EXTRAS=(\S+)", CI, flags=re.MULTILINE)[1].split(","))
    for command in TEST_COMMANDS[:2]:
        extras = set(re.search(r"\.\[([\w,]+)\]", command)[1].split(","))
        assert extras <= installed <= set(EXTRAS)


def test_plain_pytest_executes_unit_tests_and_notebooks():
    options = PYPROJECT["tool"]["pytest"]["ini_options"]
    assert options["testpaths"] == ["lunsedu", "tests", "notebooks"]
    assert {"--doctest-modules", "--nbval-lax", "--nbval-current-env"} <= set(options["addopts"])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bit")
def test_the_ci_script_can_be_executed():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_what_a_copy_of_the_sources_needs_is_there():
    from notebooks import into_wheel

    named = [*into_wheel.SOURCES, *into_wheel.SOURCE_FILES]
    assert len(named) > 8 and [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_says_what_each_requirement_is_for():
    table = README.partition("| needed for |")[2].partition("\n\n")[0]
    named = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^\|[^|]*\|([^|]*)\|", table, re.M))))
    lines = PYPROJECT["project"]["dependencies"] + [
        line for extra in EXTRAS.values() for line in extra
    ]
    assert set(requirements(lines)) <= named


def test_links_in_the_readme_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []


def test_the_course_table_has_all_notebooks():
    listed = re.findall(r"^\| \[[^\]]*\]\((notebooks/\w+\.ipynb)\) \|", README, flags=re.MULTILINE)
    there = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("notebooks/*.ipynb"))
    assert listed == there


def test_the_readmes_sample_runs(tmp_path, monkeypatch, capsys):
    sample = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL)[1]
    sample, count = re.subn(r"epochs=\d+", "epochs=2", sample)  # to see that it runs, not learns
    assert count == 2
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(sample, names)
    assert names["text"].startswith("Once upon a time")
    assert len(names["result"].candidates) == 5
    assert "Once upon a time" in capsys.readouterr().out
    assert (tmp_path / "my_model.safetensors").is_file()


def test_a_build_needs_nothing_but_setuptools():
    needed = {r.partition("[")[0].partition(">")[0] for r in PYPROJECT["build-system"]["requires"]}
    assert needed == {"setuptools"}
    foreign = sorted(requirements(PYPROJECT["project"]["dependencies"]))
    code = f"import sys; sys.modules |= dict.fromkeys({foreign}); import notebooks.into_wheel"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_importing_the_package_loads_nothing_heavy():
    code = "import lunsedu, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "lunsedu" in loaded
    assert not loaded & {"matplotlib", "ipywidgets", "tqdm", "safetensors", "IPython"}


def test_building_and_training_a_model_loads_no_pictures_or_widgets():
    code = (
        "from lunsedu import *; import lunsedu, sys\n"
        "lm = LunsformterModel(LunsDataset(texts=['one two', 'one three']), dim=16)\n"
        "lm.fit(epochs=1, verbose=False); lm.generate('one')\n"
        "print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & {"matplotlib", "ipywidgets"}


def test_the_readme_states_the_times_that_the_lessons_state():
    row = r"^\| \[[^\]]*\]\((notebooks/\w+\.ipynb)\) \|.*\| (\d+) min \| (\d+) s \| (\d+) MB \|$"
    rows = re.findall(row, README, flags=re.MULTILINE)
    assert len(rows) == 13
    for path, *stated in rows:
        opening = "".join(json.loads((ROOT / path).read_text("utf-8"))["cells"][0]["source"])
        said = r"about (\d+) minutes to read, (\d+) seconds to run.*?peak memory (\d+) MB"
        assert list(re.search(said, opening, re.DOTALL).groups()) == stated, path
