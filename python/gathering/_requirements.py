"""Whether an installed distribution satisfies a requirement: the parts of PEP 508 and PEP 440 that this needs."""

import re

_REQUIREMENT = re.compile(
    r"^\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*"
    r"(?:\[(?P<extras>[^\]]*)\])?\s*"
    r"(?:@\s*(?P<url>\S+)|\(?(?P<specifiers>[^;)]*)\)?)\s*"
    r"(?:;(?P<marker>.*))?$"
)
_SPECIFIER = re.compile(r"^(~=|===|==|!=|<=|>=|<|>)\s*(\S+)$")
_VERSION = re.compile(
    r"^\s*v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_number>\d*))?"
    r"(?P<post>-(?P<post_implicit>\d+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>\d*))?"
    r"(?P<dev>[-_.]?dev[-_.]?(?P<dev_number>\d*))?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$",
    re.IGNORECASE,
)
_PRE = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}


def is_satisfied(requirement):
    """Whether `requirement` is installed in a version that it allows.

    A requirement with an environment marker or a URL is taken as satisfied: whoever installed it has evaluated it.
    Of extras only the distribution itself is looked at. ValueError if it is no requirement.
    """
    parsed = _REQUIREMENT.match(requirement)
    if parsed is None:
        raise ValueError(f"'{requirement}' is not a requirement such as 'requests>=2.28'")
    specifiers = [part.strip() for part in (parsed["specifiers"] or "").split(",") if part.strip()]
    for specifier in specifiers:
        if not _SPECIFIER.match(specifier):
            raise ValueError(f"'{requirement}' has '{specifier}', which is not a version specifier such as '>=1.2'")
    if parsed["marker"] or parsed["url"]:
        return True
    from importlib import metadata

    try:
        installed = metadata.version(parsed["name"])
    except metadata.PackageNotFoundError:
        return False
    return all(matches(installed, specifier) for specifier in specifiers)


def matches(installed, specifier):
    """Whether the version `installed` is allowed by `specifier`, such as `~=1.4` (PEP 440)."""
    operator, wanted = _SPECIFIER.match(specifier.strip()).groups()
    if operator == "===":
        return installed.strip().lower() == wanted.lower()
    version = _parse(installed)
    if version is None:
        return False
    if operator in ("==", "!=") and wanted.endswith(".*"):
        prefix = _parse(wanted[:-2])
        equal = prefix is not None and _starts_with(version, prefix)
        return equal if operator == "==" else not equal
    bound = _parse(wanted)
    if bound is None:
        raise ValueError(f"'{wanted}' is not a version")
    if operator == "~=":
        if len(bound.release) < 2:
            raise ValueError(f"'~={wanted}' needs at least two numbers, such as '~=1.4'")
        return version.key >= bound.key and version.release_up_to(len(bound.release) - 1) == bound.release[:-1] and (
            version.epoch == bound.epoch
        )
    public = version if bound.local else version.replaced(local=None)
    if operator == "==":
        return public.key == bound.key
    if operator == "!=":
        return public.key != bound.key
    public = version.replaced(local=None)
    if operator == "<=":
        return public.key <= bound.key
    if operator == ">=":
        return public.key >= bound.key
    if operator == "<":
        # 1.0 lets no pre-release of itself through, the first of which is 1.0.dev0.
        return public.key < (bound if bound.is_pre else bound.replaced(dev=0)).key
    # Nor does it let a post-release of itself through.
    is_post_of_bound = public.post is not None and (public.base, public.pre) == (bound.base, bound.pre)
    return public.key > bound.key and not (is_post_of_bound and bound.post is None and bound.dev is None)


def _starts_with(version, prefix):
    return version.epoch == prefix.epoch and version.release_up_to(len(prefix.release)) == prefix.release


def _parse(text):
    found = _VERSION.match(text)
    return _Version(found) if found else None


class _Version:
    def __init__(self, found):
        self.epoch = int(found["epoch"] or 0)
        self.release = tuple(int(number) for number in found["release"].split("."))
        word = found["pre"] and found["pre"].lower()
        self.pre = (_PRE.get(word, word), int(found["pre_number"] or 0)) if word else None
        self.post = int(found["post_implicit"] or found["post_number"] or 0) if found["post"] else None
        self.dev = int(found["dev_number"] or 0) if found["dev"] else None
        self.local = found["local"] and found["local"].lower().replace("-", ".").replace("_", ".")

    @property
    def is_pre(self):
        return self.pre is not None or self.dev is not None

    @property
    def base(self):
        return (self.epoch, _trimmed(self.release))

    def release_up_to(self, length):
        return (self.release + (0,) * length)[:length]

    def replaced(self, **parts):
        other = object.__new__(_Version)
        other.__dict__.update(self.__dict__, **parts)
        return other

    @property
    def key(self):
        """Orders versions as PEP 440 does: dev < pre < release < post, and a local version after its public one."""
        if self.pre is None:
            pre = (-1,) if self.post is None and self.dev is not None else (1,)
        else:
            pre = (0, *self.pre)
        post = -1 if self.post is None else self.post
        dev = (1, 0) if self.dev is None else (0, self.dev)
        local = () if self.local is None else tuple(
            (1, int(part), "") if part.isdigit() else (0, 0, part) for part in self.local.split(".")
        )
        return (self.epoch, _trimmed(self.release), pre, post, dev, self.local is not None, local)


def _trimmed(release):
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    return release
