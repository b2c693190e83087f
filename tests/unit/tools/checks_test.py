"""The scripts that check the tree, run on small trees made up here: what they refuse and let be."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
LAYERS = """
lib io: boost/asio/** sys/*.h
layer low: serialization/**
layer high: grid/**
  may include: low io
layer rest: tests/**
  may include: *
closed grid/*.h
  never reaches: io
  except: grid/open.h
"""


class CheckTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.write("tools/layers.txt", LAYERS)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_script(self, script):
        command = [sys.executable, str(ROOT / "tools" / script), str(self.root)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def assert_passes(self, script):
        result = self.run_script(script)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def assert_refuses(self, script, *said):
        result = self.run_script(script)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        for text in said:
            self.assertIn(text, result.stdout)


class Layers(CheckTest):
    SCRIPT = "check_layers.py"

    def test_include_downwards_passes(self):
        self.write("serialization/a.h", "#include <vector>\n")
        self.write("grid/b.cc", '#include "serialization/a.h"\n#include <boost/asio/post.hpp>\n')
        self.assert_passes(self.SCRIPT)

    def test_include_upwards_is_refused(self):
        self.write("grid/b.h", "")
        self.write("serialization/a.h", '#include <vector>\n#include "grid/b.h"\n')
        self.assert_refuses(self.SCRIPT, "serialization/a.h:2: low may not include high")

    def test_lib_not_named_is_refused(self):
        self.write("serialization/a.h", "#include <boost/asio/post.hpp>\n")
        self.assert_refuses(self.SCRIPT, "serialization/a.h:1: low may not include io")

    def test_unknown_header_is_refused(self):
        self.write("grid/a.cc", "#include <curl/curl.h>\n")
        self.assert_refuses(self.SCRIPT, "grid/a.cc:1: <curl/curl.h> belongs to no lib")

    def test_include_not_from_the_top_is_refused(self):
        self.write("grid/a.h", "")
        self.write("grid/a.cc", '#include "a.h"\n')
        self.assert_refuses(self.SCRIPT, 'grid/a.cc:1: "a.h" names no file')

    def test_closed_header_may_not_reach_a_lib_through_others(self):
        self.write("grid/inner/b.h", "#include <boost/asio/post.hpp>\n")
        self.write("grid/a.h", '#include "grid/inner/b.h"\n')
        self.assert_refuses(self.SCRIPT, "pulls in boost/asio/post.hpp <- grid/inner/b.h <- grid/a.h")

    def test_exception_of_the_closed_may_reach_the_lib_but_not_lend_it(self):
        self.write("grid/open.h", "#include <boost/asio/post.hpp>\n")
        self.assert_passes(self.SCRIPT)
        self.write("grid/a.h", '#include "grid/open.h"\n')
        self.assert_refuses(self.SCRIPT, "grid/a.h:1: pulls in boost/asio/post.hpp <- grid/open.h")

    def test_circle_is_refused(self):
        self.write("grid/inner/a.h", '#include "grid/inner/b.h"\n')
        self.write("grid/inner/b.h", '#include "grid/inner/a.h"\n')
        self.assert_refuses(self.SCRIPT, "circle: grid/inner/a.h -> grid/inner/b.h")


class Tests(CheckTest):
    SCRIPT = "check_tests.py"

    def check(self, line, folder="tests/unit/mux"):
        self.write(f"{folder}/a_test.cc", line + "\n")

    def test_words_in_comments_and_literals_pass(self):
        self.check("""// never sleep_for
        /* std::thread
           steady_clock::now() */
        const char* a = "usleep(3)"; char q = '"'; int n = 1'000;
        const char* b = R"x(std::thread)x"; loop.Sleep(1); clock.now();
        asio::steady_timer woken(io, asio::steady_timer::time_point::max());""")
        self.assert_passes(self.SCRIPT)

    def test_real_things_are_refused(self):
        for line in [
            "std::this_thread::sleep_for(1ms);",
            "std::this_thread::sleep_until(then);",
            "usleep(3);",
            "sleep(1);",
            "auto t = std::chrono::system_clock::now();",
            "auto t = steady_clock::now();",
            "std::thread t(run);",
            "auto f = std::async(run);",
            "boost::asio::ip::tcp::acceptor a(io);",
            "boost::asio::steady_timer t(io, 5ms);",
            "timer.expires_after(5ms);",
            "int s = ::socket(AF_INET, SOCK_STREAM, 0);",
            "#include <sys/socket.h>",
            "char q = '\"'; usleep(3); char r = '\"';",
        ]:
            with self.subTest(line):
                self.check(line)
                self.assert_refuses(self.SCRIPT, "tests/unit/mux/a_test.cc:1: ")

    def test_scenarios_and_regressions_are_checked_too(self):
        for folder in ["tests/scenario", "tests/regress"]:
            self.check("usleep(3);", folder)
        self.assert_refuses(self.SCRIPT, "tests/scenario/a_test.cc:1", "tests/regress/a_test.cc:1")

    def test_live_tests_are_left_alone(self):
        self.check("int a;")
        self.check("std::thread t(run);", "tests/live")
        self.assert_passes(self.SCRIPT)


if __name__ == "__main__":
    unittest.main()
