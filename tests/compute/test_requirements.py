"""Requirements mean the same wherever their text is the same, or they are refused with words."""

from pathlib import Path

import pytest

from studio.compute.addresses import without_logins
from studio.compute.requirements import RequirementsError, check_package, read_requirements

INDEX, LINKS = "--" + "index-url", "--" + "find-links"


def identity(folder: Path, text: str, **files: str) -> list[list[str]]:
    folder.mkdir(exist_ok=True)
    for name, content in {"r.txt": text, **files}.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return read_requirements(folder, "r.txt").identity


@pytest.mark.parametrize(
    "text",
    [
        "numpy>=2\nsix==1.16\n",
        "six==1.16\r\nnumpy>=2",
        "# both\n\n  six==1.16   # pinned\nnumpy>=2\nnumpy>=2\n",
        "six\\\n==1.16\nnumpy>=2",
        "\ufeffnumpy>=2\nsix==1.16",
        "-r more.txt\nsix==1.16",
        "--requirement=more.txt\nsix==1.16",
        "-rmore.txt\nsix==1.16",
    ],
)
def test_what_installs_the_same_is_the_same(tmp_path: Path, text: str) -> None:
    assert identity(tmp_path, text, **{"more.txt": "numpy>=2"}) == [
        [],
        ["numpy>=2", "six==1.16"],
        [],
    ]


@pytest.mark.parametrize(
    "text",
    [
        "numpy>=2.1\nsix==1.16",
        "numpy>=2",
        "--pre\nnumpy>=2\nsix==1.16",
        "-c more.txt\nnumpy>=2\nsix==1.16",
        f"{INDEX} https://a.example/simple\nnumpy>=2\nsix==1.16",
        "numpy>=2; python_version < '3.12'\nsix==1.16",
    ],
)
def test_what_may_install_something_else_is_not_the_same(tmp_path: Path, text: str) -> None:
    found = identity(tmp_path, text, **{"more.txt": "numpy<3"})
    assert found != identity(tmp_path, "numpy>=2\nsix==1.16")


def test_files_of_the_source_count_by_their_bytes_not_their_names(tmp_path: Path) -> None:
    first = identity(tmp_path / "a", "./tiny.whl", **{"tiny.whl": "bytes"})
    assert identity(tmp_path / "b", "file:tiny.whl", **{"tiny.whl": "bytes"}) == first
    assert identity(tmp_path / "c", "tiny.whl # here", **{"tiny.whl": "bytes"}) == first
    assert identity(tmp_path / "d", "./tiny.whl", **{"tiny.whl": "others"}) != first
    named = identity(tmp_path / "e", "tiny[x] @ ./tiny.whl ; os_name=='posix'", **{"tiny.whl": "b"})
    assert named[1][0].startswith("tiny[x] @ sha256:")
    folder = identity(tmp_path / "f", "./lib", lib__a="1", lib__b="2")
    assert identity(tmp_path / "g", "./lib", lib__a="1", lib__b="3") != folder
    links = identity(tmp_path / "h", f"{LINKS} ./lib", lib__a="1")
    assert links[0][0].startswith(f"{LINKS} sha256:")


def test_paths_are_read_from_where_they_are_written(tmp_path: Path) -> None:
    files = {"deep__r.txt": "./tiny.whl\n-c ../c.txt", "deep__tiny.whl": "x", "c.txt": "six<2"}
    found = identity(tmp_path, "-r deep/r.txt", **files)
    assert found[2] == ["six<2"]
    line = read_requirements(tmp_path, "r.txt").packages[0]
    assert line.source == str((tmp_path / "deep" / "tiny.whl").resolve())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-e .", "line 1: an editable install"),
        ("six\n--editable=git+https://x/y", "line 2: an editable install"),
        ("/opt/a.whl", "a.whl lies outside the source"),
        ("../a.whl", "outside the source"),
        ("a @ file:///opt/a.whl", "outside the source"),
        ("-r ../other.txt", "outside the source"),
        ("-r none.txt", "no such file in the source"),
        ("./none.whl", "there is no none.whl"),
        ("-r r.txt", "include each other without end"),
        ("--install-option=x", "the option --install-option can't be used"),
        ("--no-index yes", "the option --no-index"),
        (INDEX, f"the option {INDEX}"),
        (INDEX + " https://${USER}:${PASS}@a.example", "not filled in"),
        ("a@" * 3_000, "no file has a name as long"),
        ("-r " + "a/" * 3_000, "no file has a name as long"),
        ("six\0==1", "contains a control character"),
        ("six\x7f==1", "contains a control character"),
        ("a @ https://me:secret@h/a.whl", "has a password or token in it"),
        ("git+https://ghp_x@h/a", "Configure the worker's index"),
        ("a @ git+FILE:///opt/a", "on the disk of one machine"),
        ("a @ FILE:///opt/a.whl", "outside the source"),
    ],
)
def test_what_can_not_be_shared_is_refused_with_its_place(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(RequirementsError, match=words) as refused:
        identity(tmp_path, text)
    assert "r.txt" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_bytes_that_are_no_text_and_endless_files_are_refused(tmp_path: Path) -> None:
    for content in (b"\xff\xfesix", b"six\n" * 10_001, b"#" * 1_000_001):
        (tmp_path / "r.txt").write_bytes(content)
        with pytest.raises(RequirementsError, match=r"r\.txt"):
            read_requirements(tmp_path, "r.txt")


@pytest.mark.parametrize(
    "text",
    ["a" + " " * 8_000 + "b", "\\\n".join(["a" * 7_000] * 10), " " * 999_999, "six " + "[" * 9_000],
)
def test_a_line_has_a_limit_also_when_it_goes_on(tmp_path: Path, text: str) -> None:
    with pytest.raises(RequirementsError, match=r"line .* longer than 8,000 characters"):
        identity(tmp_path, text)
    if "\n" not in text:
        with pytest.raises(RequirementsError, match="longer than 8,000"):
            check_package(text)


def test_blanks_are_one_blank_before_anything_is_looked_for_in_them(tmp_path: Path) -> None:
    blanks = " " * 2_500
    spread = f"a{blanks}[x]{blanks}@ https://h/a.whl{blanks}# why"
    assert identity(tmp_path, spread)[1] == ["a [x] @ https://h/a.whl"]
    assert check_package(f"six{blanks}>=1{blanks}") == "six >=1"


def test_what_is_read_in_again_and_again_is_read_once(tmp_path: Path) -> None:
    more = {f"f{n}.txt": f"-r f{n + 1}.txt\n" * 100 for n in range(7)}
    files = {**more, "f7.txt": "-c c.txt\nsix\n", "c.txt": "six<2\n"}
    assert identity(tmp_path, "-r f0.txt\n-r c.txt\n", **files) == [[], ["six", "six<2"], ["six<2"]]


def test_all_files_together_have_a_limit(tmp_path: Path) -> None:
    lines = {f"{n}.txt": "six\n" * 6_000 for n in "ab"}
    with pytest.raises(RequirementsError, match="more than 10,000 lines, with all"):
        identity(tmp_path, "-r a.txt\n-r b.txt", **lines)
    size = {f"{n}.txt": f"# {'x' * 5_998}\n" * 100 for n in "ab"}
    with pytest.raises(RequirementsError, match="more than 1,000,000 bytes, with all"):
        identity(tmp_path, "-r a.txt\n-r b.txt", **size)


def test_links_in_a_folder_of_the_source_count_as_links_and_stay_in_it(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "again").symlink_to(".")
    first = identity(tmp_path, "./lib", lib__a="1", lib__b="1")
    (tmp_path / "lib" / "c").symlink_to("a")
    assert identity(tmp_path, "./lib") != first
    for target in ("../r.txt", str(tmp_path / "lib" / "a")):
        (tmp_path / "lib" / "out").unlink(missing_ok=True)
        (tmp_path / "lib" / "out").symlink_to(target)
        with pytest.raises(RequirementsError, match="the link out leads out of the folder lib"):
            identity(tmp_path, "./lib")


@pytest.mark.parametrize(
    "good",
    [
        "six",
        " six==1.16 ",
        "a[b,c]>=1,<2 ; os_name == 'posix'",
        "x @ git+https://h/x@v1",
        "x @ git+ssh://git@h/x@v1",
    ],
)
def test_packages_in_a_list(good: str) -> None:
    assert check_package(good) == good.strip()


@pytest.mark.parametrize(
    "wrong",
    ["", "-e .", "-r x.txt", "./a.whl", "a/b", "a.whl", "a @ ./b.whl", "a @ file:///b"],
)
def test_a_list_holds_packages_alone(wrong: str) -> None:
    with pytest.raises(RequirementsError, match="is not a package"):
        check_package(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        *(f"six{end}-r x" for end in "\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r\x1b"),
        "six==${VERSION}",
        "a @ FILE:b",
        "a @ git+file:///b",
        "a @ https://me:s3cr3t@h/a.whl",
        "a @ https://me:s3cr3t@x@h/a.whl",
        "a @ git+https://s3cr3t@h/a",
        "a @ git+ssh://me:s3cr3t@h/a",
        "git+https://s3cr3t@h/a",
    ],
)
def test_a_package_has_no_second_line_no_place_on_a_machine_and_no_secret(wrong: str) -> None:
    with pytest.raises(RequirementsError) as refused:
        check_package(wrong)
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    ("told", "masked"),
    [
        (f"{INDEX}=https://me:p@ss@h/s", f"{INDEX}=https://****@h/s"),
        ("git+https://x@h/a@v1 http://t@i", "git+https://****@h/a@v1 http://****@i"),
        ("https://h/a@v1", "https://h/a@v1"),
    ],
)
def test_a_login_is_masked_up_to_the_last_at_before_the_path(told: str, masked: str) -> None:
    assert without_logins(told) == masked
