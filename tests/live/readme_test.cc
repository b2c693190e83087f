// Runs the command lines that README.md shows: each block "sh run", as it stands, on free ports.
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/live/tools_fixture.h"
#include "tests/unit/docs/markdown.h"

namespace grid::live {
namespace {

using testing::HasSubstr;

std::vector<std::string> Commands() {
  std::vector<std::string> scripts;
  for (const docs::Block& block : docs::Blocks(docs::ReadSource("README.md"))) {
    if (block.info == "sh run") scripts.push_back(block.text);
  }
  return scripts;
}

// The script with free ports in place of those that it names.
std::string OnFreePorts(const std::string& script) {
  const Names names;
  const std::vector<std::string> free = {names.node, names.dialler, names.dialled, names.other};
  const std::regex address("127\\.0\\.0\\.1:[0-9]+");
  std::map<std::string, std::string> replaced;
  std::string out;
  size_t at = 0;
  for (std::sregex_iterator it(script.begin(), script.end(), address), end; it != end; ++it) {
    if (!replaced.contains(it->str())) {
      const std::string& name = free.at(replaced.size());
      replaced[it->str()] = name.substr(name.rfind('/') + 1);
    }
    const auto position = static_cast<size_t>(it->position());
    out += script.substr(at, position - at) + replaced[it->str()];
    at = position + it->str().size();
  }
  return out + script.substr(at);
}

TEST(Readme, CommandLinesPrintWhatItSays) {
  const std::vector<std::string> scripts = Commands();
  ASSERT_FALSE(scripts.empty());
  for (const std::string& script : scripts) {
    // timeout ends the whole group of processes, so that no node is left behind.
    const Result result = RunProgram({"env", std::string("PATH=") + GRID_BIN_DIR + ":/usr/bin:/bin",
                                      "timeout", "100", "bash", "-euc", OnFreePorts(script)});
    EXPECT_EQ(result.status, 0) << script << result.out << result.err;
    size_t at = 0;
    for (const std::string& line : docs::Lines(script)) {
      if (!line.starts_with("# > ")) continue;
      const std::string expected = line.substr(4);
      const size_t found = result.out.find(expected, at);
      ASSERT_NE(found, std::string::npos)
          << "not printed, or not in this place: " << expected << "\nin:\n"
          << result.out;
      at = found + expected.size();
    }
    EXPECT_GT(at, 0u) << "nothing is said about what is printed";
  }
}

// Every option that README.md names is one of the programs', and the other way round.
TEST(Readme, OptionsAreThoseOfTheHelp) {
  const auto options = [](const std::string& text) {
    const std::regex option("--[a-z][a-z-]*");
    return std::set<std::string>(std::sregex_token_iterator(text.begin(), text.end(), option),
                                 std::sregex_token_iterator());
  };
  std::string help = RunProgram({kGridnode, "--help"}).out;
  for (const char* command :
       {"call", "stream", "bench", "conformance", "names", "watch", "flush", "start", "stop",
        "send", "ask", "gather", "drain", "patrol", "decode", "train-dictionary"}) {
    const Result shown = RunProgram({kGridctl, command, "--help"});
    EXPECT_THAT(shown.out, HasSubstr("Usage: gridctl"));
    help += shown.out;
  }
  std::set<std::string> known = options(help);
  known.erase("--help");
  known.erase("--warm-up");  // for measurements only
  EXPECT_EQ(options(docs::Section(docs::ReadSource("README.md"), "## The programs")), known);
}

}  // namespace
}  // namespace grid::live
