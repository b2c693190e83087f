// README.md against the tree: its example, its map, the targets and documents that it names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/docs/markdown.h"

namespace grid::docs {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = GRID_SOURCE_DIR;

// Everything that `pattern`'s first group matches.
std::vector<std::string> FindAll(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) {
    found.push_back((*it)[1]);
  }
  return found;
}

TEST(Readme, ExampleIsTheProgramThatIsTested) {
  const std::string program = ReadSource("tools/examples/hello.cc");
  constexpr std::string_view kMarker = "// [example]\n";
  const size_t begin = program.find(kMarker) + kMarker.size();
  const size_t end = program.rfind(kMarker);
  ASSERT_LT(begin, end);
  EXPECT_EQ(BlockText(ReadSource("README.md"), "cpp"), program.substr(begin, end - begin));
}

TEST(Readme, MapNamesFoldersThatExist) {
  const std::string map = Section(ReadSource("README.md"), "## Map of the code");
  const std::vector<std::string> folders = FindAll(map, "\n\\| `([a-z/]+)/` \\|");
  ASSERT_GE(folders.size(), 10u);
  for (const std::string& folder : folders) EXPECT_TRUE(fs::is_directory(kRoot / folder)) << folder;
}

TEST(Readme, MapNamesEveryFolderWithSources) {
  const std::string map = Section(ReadSource("README.md"), "## Map of the code");
  const std::vector<std::string> named = FindAll(map, "\n\\| `([a-z/]+)/` \\|");
  for (const char* parent : {"", "grid", "handlers"}) {
    for (const auto& entry : fs::directory_iterator(kRoot / parent)) {
      const std::string folder = fs::relative(entry.path(), kRoot).string();
      if (!entry.is_directory() || folder[0] == '.' || folder.starts_with("build")) continue;
      EXPECT_THAT(named, testing::Contains(folder));
    }
  }
}

TEST(Readme, TargetsExist) {
  const std::string readme = ReadSource("README.md");
  // In the tree by these names, and installed: tests/consumer links them.
  const std::vector<std::string> aliases =
      FindAll(ReadSource("grid/CMakeLists.txt"), "add_library\\(([a-z_:]+) ALIAS");
  const std::string consumer = ReadSource("tests/consumer/CMakeLists.txt");
  const std::vector<std::string> named = FindAll(readme, "(grid::[a-z_]+)[`)]");
  ASSERT_GE(named.size(), 3u);
  for (const std::string& name : named) {
    EXPECT_THAT(aliases, testing::Contains(name));
    EXPECT_NE(consumer.find(name), std::string::npos) << name;
  }
  const std::string found = FindAll(BlockText(readme, "cmake"), "(find_package.*) REQUIRED").at(0);
  EXPECT_NE(consumer.find(found), std::string::npos) << found;
  const std::string options = ReadSource("CMakeLists.txt");
  const std::string subproject = BlockText(readme, "cmake subproject");
  for (const std::string& name : FindAll(subproject, "set\\((GRID_[A-Z_]+) OFF\\)")) {
    EXPECT_NE(options.find("option(" + name + " "), std::string::npos) << name;
  }
}

TEST(Readme, PresetsExist) {
  const std::string presets = ReadSource("CMakePresets.json");
  for (const char* name : {"asan", "tsan", "clang", "debug", "fuzz", "release"}) {
    EXPECT_NE(presets.find("\"name\": \"" + std::string(name) + "\""), std::string::npos) << name;
  }
}

// Of every document: files and folders that it names with a path are there.
class Document : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Docs, Document,
                         testing::Values("README.md", "grid/README.md", "grid/PROTOCOL.md",
                                         "serialization/README.md", "bench/README.md"),
                         [](const auto& file) {
                           std::string name = file.param;
                           for (char& c : name) {
                             if (c == '/' || c == '.') c = '_';
                           }
                           return name;
                         });

TEST_P(Document, PathsExist) {
  const std::string document = ReadSource(GetParam());
  const fs::path own = fs::path(GetParam()).parent_path();
  const std::vector<fs::path> folders = {"",      own,     "grid",
                                         "tests", "tools", "tests/unit/serialization"};
  for (const char* pattern :
       {"`((?:[a-z_]+/)*[A-Za-z_0-9]+\\.(?:h|cc|md|txt|py|json))`", "`((?:[a-z_]+/)+)`"}) {
    for (const std::string& path : FindAll(document, pattern)) {
      EXPECT_TRUE(std::any_of(folders.begin(), folders.end(), [&](const fs::path& folder) {
        return fs::exists(kRoot / folder / path);
      })) << path;
    }
  }
}

TEST_P(Document, FitsTheWidth) {
  bool fenced = false;
  for (const std::string& line : Lines(ReadSource(GetParam()))) {
    if (line.starts_with("```")) fenced = !fenced;
    if (!fenced && line.starts_with("|")) continue;  // tables can't be broken
    EXPECT_LE(line.size(), 110u) << line;
  }
}

}  // namespace
}  // namespace grid::docs
