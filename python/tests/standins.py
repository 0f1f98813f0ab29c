"""What stands for other people's packages: the documents' plugins are run, not what they import."""

import base64
import contextlib
import hashlib
import importlib
import json
import os
import sys
import unittest.mock
import zipfile
from pathlib import Path

#: Distributions by name: version, and the text of each file in it.
PACKAGES = {
    "requests": ("2.32.0", {
        "requests/__init__.py": (
            "import base64\n"
            "class Answer:\n"
            "    def json(self):\n"
            "        return {'artifacts': [{'base64': base64.b64encode(b'png').decode()}]}\n"
            "def post(url, headers, json):\n"
            "    return Answer()\n"
        ),
    }),
    "pillow": ("11.0.0", {
        "PIL/__init__.py": "",
        "PIL/Image.py": (
            "import io\n"
            "class Image:\n"
            "    def resize(self, size):\n"
            "        return self\n"
            "    def save(self, path):\n"
            "        open(path, 'wb').close()\n"
            "def open_image(source):\n"
            "    assert isinstance(source, (str, io.BytesIO))\n"
            "    return Image()\n"
        ).replace("open(path", "io.open(path").replace("open_image", "open"),
    }),
    "yfinance": ("0.2.0", {
        "yfinance.py": (
            "class Ticker:\n"
            "    def __init__(self, symbol):\n"
            "        self.info = {'regularMarketPrice': 12.5}\n"
        ),
    }),
    "pandas": ("2.2.0", {"pandas.py": ""}),
}


@contextlib.contextmanager
def imported(folder, *names):
    """They are installed in this process, as far as a plugin can tell."""
    modules = set()
    for name in names:
        for path, text in PACKAGES[name][1].items():
            file = Path(folder, path)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            modules.add(path.partition("/")[0].removesuffix(".py"))
    known = {name: module for name, module in sys.modules.items() if name.partition(".")[0] not in modules}
    with (
        unittest.mock.patch.dict(sys.modules, known, clear=True),
        unittest.mock.patch.object(sys, "path", [str(folder), *sys.path]),
        unittest.mock.patch("gathering._requirements.is_satisfied", lambda requirement: True),
    ):
        importlib.invalidate_caches()
        yield


def installable(folder, *names):
    """Wheels of them are all that can be installed; the variables that say so."""
    for name in names:
        version, files = PACKAGES[name]
        about = f"{name}-{version}.dist-info"
        files = {
            **files,
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{path},{_digest(text)},{len(text.encode())}\n" for path, text in files.items())
        with zipfile.ZipFile(Path(folder, f"{name}-{version}-py3-none-any.whl"), "w") as wheel:
            for path, text in {**files, f"{about}/RECORD": record + f"{about}/RECORD,,\n"}.items():
                wheel.writestr(path, text)
    place = os.fspath(folder)
    # uv has no variable for the first of these.
    settings = Path(folder, "uv.toml")
    settings.write_text(f"no-index = true\nfind-links = [{json.dumps(place)}]\n")
    return {"UV_CONFIG_FILE": os.fspath(settings), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": place}


def _digest(text):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
