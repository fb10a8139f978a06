"""The line that says why a first call takes long."""

from ltc_np.kernels.cpu.waiting import LINE, Waiting


def waiting(*times, watched=True):
    """One whose clock says these seconds, one after the other."""
    return Waiting(iter(times).__next__, lambda: watched)


def test_it_comes_once_after_a_second_of_several_kernels_together(capsys):
    one = waiting(0.0, 0.1, 0.9, 5.0, 5.05, 5.2, 9.0)
    with one.compiling("first"):
        assert capsys.readouterr().err == ""  # 0.1 s of it have passed, and 0.9 s at its end
    assert capsys.readouterr().err == ""
    with one.compiling("second"):
        assert capsys.readouterr().err == ""
        one.look()
        assert capsys.readouterr().err == LINE.format(name="second") + "\n"
        one.look()
    assert capsys.readouterr().err == ""


def test_a_kernel_inside_of_another_is_counted_once(capsys):
    """And when it is done the other one goes on."""
    one = waiting(0.0, 0.1, 0.5, 0.9, 1.1, 2.0)
    with one.compiling("outer"):
        with one.compiling("inner"):
            pass
        one.look()
        assert capsys.readouterr().err == ""  # 0.9 s, of which the inner one took some
        one.look()
        assert capsys.readouterr().err == LINE.format(name="outer") + "\n"


def test_it_does_not_come_to_nobody_or_to_who_knows(capsys):
    nobody, knows = waiting(0.0, 2.0, 3.0, watched=False), waiting(0.0, 3.0)
    with nobody.compiling("one"):
        pass
    knows.told()
    with knows.compiling("one"):
        knows.look()
    knows.look()  # nothing is compiled now
    assert capsys.readouterr().err == ""
