"""One process holds the data folder."""

import multiprocessing
import os
from pathlib import Path

import pytest

from api.data_folder import SOCKET_PATH_LENGTH_MAX, DataFolder, hold
from api.errors import DataFolderError


def test_a_second_holder_is_refused_with_the_first_ones_process(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with hold(folder), pytest.raises(DataFolderError, match=f"process {os.getpid()}"), hold(folder):
        pass
    with hold(folder):
        pass


def test_the_lock_goes_with_its_process_however_it_ends(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_hold_and_die, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 9
    with hold(DataFolder(tmp_path)):
        pass


def test_a_folder_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="cleartosend init"), hold(DataFolder(tmp_path / "x")):
        pass


def test_the_lock_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with hold(folder):
        assert folder.lock.stat().st_mode & 0o777 == 0o600


def test_the_socket_of_a_deep_folder_has_a_short_address(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with DataFolder(deep).socket_address() as address:
        assert len(address) <= SOCKET_PATH_LENGTH_MAX
        assert Path(address).parent.samefile(deep)


def _hold_and_die(path: Path) -> None:
    with hold(DataFolder(path)):
        os._exit(9)
