// The options that are times, as the public headers have them.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>
#include <string>

#include "tests/unit/docs/markdown.h"

namespace grid::docs {
namespace {

// Rule 11: what may be set as a time is set in milliseconds or less, and has a default. What the
// protocols count in greater units is named here.
TEST(OptionsOfTimes, Rule11_AreMillisecondsWithADefault) {
  const std::set<std::string> greater = {"lifetime", "leeway", "clock_skew"};
  const std::regex member(R"(^  (?:const )?std::chrono::(\w+) (\w+)( = [^;]+|\{[^;]*\})?;)");
  const std::string root = std::string(GRID_SOURCE_DIR) + "/";
  size_t found = 0;
  for (const char* folder : {"grid", "handlers"}) {
    for (const auto& file : std::filesystem::recursive_directory_iterator(root + folder)) {
      if (file.path().extension() != ".h") continue;
      const std::string path = file.path().string().substr(root.size());
      // Which struct the line is in; members of classes are no options.
      std::string options;
      for (const std::string& line : Lines(ReadSource(path))) {
        std::smatch match;
        if (line.starts_with("struct ")) options = line.substr(7, line.find(' ', 7) - 7);
        if (line.starts_with("}") || line.starts_with("class ")) options.clear();
        if (options.empty() || !std::regex_search(line, match, member)) continue;
        ++found;
        const std::string what = path + ": " + options + "::" + match[2].str();
        const bool coarse = match[1] == "seconds" || match[1] == "minutes" || match[1] == "hours";
        EXPECT_TRUE(!coarse || greater.contains(match[2])) << what;
        // What is passed along with a call is no option of anybody's.
        if (options.ends_with("Options") || options.ends_with("Policy") || options == "Timeouts" ||
            options == "BackOff") {
          EXPECT_TRUE(match[3].matched) << what << " has no default";
        }
      }
    }
  }
  EXPECT_GT(found, 30u);
}

}  // namespace
}  // namespace grid::docs
