"""A property that is computed once, without a lock."""

import threading

from ltc_np.base.once import once


class Counted:
    count = 0

    @once
    def value(self):
        """What it is."""
        self.count += 1
        return [self.count]


def test_it_is_computed_once_for_each_instance():
    a, b = Counted(), Counted()
    assert a.value is a.value and a.value is not b.value
    assert (a.count, b.count, vars(a)["value"]) == (1, 1, [1])
    del a.value
    assert a.value == [2]
    assert Counted.value.__doc__ == "What it is."


def test_nobody_waits_for_another_thread():
    """`functools.cached_property` of Python 3.11 would: its lock, taken at a fork, stays taken in the child."""
    inside, leave, found = threading.Event(), threading.Event(), []

    class Slow:
        @once
        def value(self):
            if threading.current_thread() is not threading.main_thread():
                inside.set()
                assert leave.wait(30)
            return 1

    thread = threading.Thread(target=lambda: found.append(Slow().value))
    thread.start()
    assert inside.wait(30)
    other = threading.Timer(10, leave.set)  # where the main thread waits it goes on, too late
    other.start()
    assert Slow().value == 1 and not leave.is_set()
    leave.set()
    other.cancel()
    thread.join()
    assert found == [1]
