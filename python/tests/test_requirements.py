"""Requirements against installed distributions: PEP 440's order and operators, and what of PEP 508 counts."""

import itertools
import unittest
from importlib import metadata
from unittest import mock

from gathering._requirements import _parse, is_satisfied, matches

try:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version
except ImportError:
    SpecifierSet = None

#: In PEP 440's order.
ORDERED = [
    "0.9", "1.0.dev1", "1.0a1.dev1", "1.0a1", "1.0a2", "1.0b1", "1.0rc1.dev4", "1.0rc1", "1.0rc1.post1", "1.0",
    "1.0+abc", "1.0+abc.5", "1.0+5", "1.0.post1.dev3", "1.0.post1", "1.0.1", "1.1.dev0", "1.1", "1.10", "2.0", "1!0.1",
]
SPECIFIERS = [
    operator + version
    for operator in ("==", "!=", "<=", ">=", "<", ">", "~=")
    for version in ("1.0", "1.0.0", "1.0rc1", "1.0.post1", "1.0.dev1", "1.1", "1!0.1")
] + ["==1.*", "!=1.*", "==1.0.*", "===1.0", "==1.0+abc", "!=1.0+abc"]


class Versions(unittest.TestCase):
    def test_versions_are_ordered_as_pep_440_says(self):
        keys = [_parse(version).key for version in ORDERED]

        self.assertEqual(keys, sorted(keys))
        self.assertEqual(len(set(keys)), len(keys))

    def test_other_spellings_of_a_version_are_the_same_version(self):
        for one, other in [
            ("1.0", "1"), ("1.0", "v1.0"), ("1.0a1", "1.0-alpha.1"), ("1.0rc1", "1.0c1"), ("1.0rc0", "1.0-preview"),
            ("1.0.post2", "1.0-2"), ("1.0.post0", "1.0r"), ("1.0+a.1", "1.0+A-1"), ("0!1.0", "1.0"),
        ]:
            self.assertEqual(_parse(one).key, _parse(other).key, (one, other))

    def test_operators_mean_what_pep_440_says(self):
        for installed, specifier, expected in [
            ("1.4.5", "~=1.4", True), ("2.0", "~=1.4", False), ("1.4.9", "~=1.4.5", True), ("1.5", "~=1.4.5", False),
            ("1.0.post1", ">1.0", False), ("1.0.post1", ">=1.0", True), ("1.0rc1", "<1.0", False),
            ("1.0rc1", "<1.0rc2", True), ("1.0rc1", "<1.0.post1", True), ("1.0.post1.dev3", "<1.0.post1", False),
            ("1.0.post1", ">1.0rc1", True), ("1.0rc1.post1", ">1.0rc1", False), ("1.0.post1", ">1.0.dev1", True),
            ("1.0+local", "==1.0", True), ("1.0", "==1.0+local", False),
            ("1.0+local", "<=1.0", True), ("1.5", "==1.*", True), ("2.5", "==1.*", False), ("1.5", "!=1.*", False),
            ("1.0", "===1.0", True), ("1", "===1.0", False), ("not a version", ">=1", False),
        ]:
            self.assertIs(matches(installed, specifier), expected, (installed, specifier))

    def test_operators_mean_what_the_packaging_library_says(self):
        if SpecifierSet is None:
            self.skipTest("NOT RUN: the `packaging` library is not installed")
        for installed, specifier in itertools.product(ORDERED, SPECIFIERS):
            expected = SpecifierSet(specifier).contains(Version(installed), prereleases=True)
            with self.subTest(f"{installed} {specifier}"):
                self.assertIs(matches(installed, specifier), expected)


class Requirements(unittest.TestCase):
    def setUp(self):
        installed = {"requests": "2.31.0", "Pillow": "10.1.0"}

        def version(name):
            if name not in installed:
                raise metadata.PackageNotFoundError(name)
            return installed[name]

        patch = mock.patch.object(metadata, "version", version)
        patch.start()
        self.addCleanup(patch.stop)

    def test_an_installed_distribution_of_an_allowed_version_satisfies(self):
        for requirement, expected in [
            ("requests", True), ("requests>=2.28.0", True), ("requests>=3", False), ("requests >=2, <3", True),
            ("requests (>=2.0)", True), ("requests[socks]>=2.28", True), ("Pillow~=10.0", True), ("absent", False),
            ("requests!=2.31.0", False),
        ]:
            self.assertIs(is_satisfied(requirement), expected, requirement)

    def test_markers_and_urls_are_left_to_the_installer(self):
        self.assertTrue(is_satisfied("absent>=1; python_version < '3'"))
        self.assertTrue(is_satisfied("absent @ https://example.invalid/absent.whl"))

    def test_what_is_no_requirement_is_refused(self):
        for requirement, message in [
            ("!!", "'!!' is not a requirement such as 'requests>=2.28'"),
            ("requests>2 3", "'requests>2 3' has '>2 3', which is not a version specifier such as '>=1.2'"),
            ("requests=>2", "'requests=>2' has '=>2', which is not a version specifier such as '>=1.2'"),
        ]:
            with self.subTest(requirement), self.assertRaises(ValueError) as caught:
                is_satisfied(requirement)
            self.assertEqual(str(caught.exception), message)
        with self.assertRaisesRegex(ValueError, "'x' is not a version"):
            is_satisfied("requests>=x")
        with self.assertRaisesRegex(ValueError, "needs at least two numbers"):
            is_satisfied("requests~=1")


if __name__ == "__main__":
    unittest.main()
