// The table of rows and rules of grid/actor/README.md against the tests: each has one by its name,
// and no test of that kind is missing there.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/docs/markdown.h"

namespace grid::docs {
namespace {

using Names = std::set<std::string>;

// By the names of tests, without what follows the first "_": the files that have such.
std::map<std::string, Names> TestsOfTheTree() {
  const std::regex test(R"(TEST(?:_F|_P)?\(\s*\w+,\s*((?:Row|Rule\d)[A-Za-z0-9]*)_\w*\))");
  const std::string root = std::string(GRID_SOURCE_DIR) + "/";
  std::map<std::string, Names> tests;
  for (const auto& file : std::filesystem::recursive_directory_iterator(root + "tests")) {
    const std::string extension = file.path().extension().string();
    if (extension != ".cc" && extension != ".h") continue;
    const std::string text = ReadSource(file.path().string().substr(root.size()));
    for (std::sregex_iterator at(text.begin(), text.end(), test), end; at != end; ++at) {
      tests[(*at)[1]].insert(file.path().stem().string());
    }
  }
  return tests;
}

struct Row {
  std::string word;  // the left column, as it stands
  Names tests;
  Names files;
};

std::vector<Row> RowsOfTheDocument() {
  const std::regex cell("`([^`]+)`");
  std::vector<Row> rows;
  bool inside = false;
  for (const std::string& line : Lines(Section(ReadSource("grid/actor/README.md"), "## Tests"))) {
    if (line.starts_with("| row or rule")) inside = true;
    if (!inside || line.starts_with("|---") || line.starts_with("| row or rule")) continue;
    if (!line.starts_with('|')) break;
    Row row{.word = line.substr(2, line.find(" |", 2) - 2), .tests = {}, .files = {}};
    for (std::sregex_iterator at(line.begin(), line.end(), cell), end; at != end; ++at) {
      const std::string text = (*at)[1];
      (text.starts_with('R') ? row.tests : row.files).insert(text);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

TEST(RowsTable, SaysWhereEachIsTested) {
  std::map<std::string, Names> tests = TestsOfTheTree();
  for (const Row& row : RowsOfTheDocument()) {
    Names files;
    for (const std::string& name : row.tests) {
      const auto found = tests.find(name);
      ASSERT_TRUE(found != tests.end()) << row.word << ": no test begins with " << name << "_";
      files.insert(found->second.begin(), found->second.end());
      tests.erase(found);
    }
    EXPECT_EQ(files, row.files) << row.word;
  }
  for (const auto& [name, files] : tests) {
    ADD_FAILURE() << name << "_ of " << *files.begin() << " is in no row";
  }
}

// The left column of the model, and its rules.
TEST(RowsTable, HasEveryRowAndRule) {
  const std::vector<std::string> rows = {"namespace, realm",
                                         "actor name, mailbox",
                                         "leader, singleton",
                                         "peer",
                                         "category, version",
                                         "kind + identity (virtual actor, grain)",
                                         "topic, subscriber",
                                         "group (list / category / per version)",
                                         "annotations, owner, load, trusted callers, draining",
                                         "ActorStart on a peer",
                                         "Request",
                                         "Broadcast; Fastest; ExceptSuccesses",
                                         "Query, QueryWatch",
                                         "ring",
                                         "master + nodes: Call / Go",
                                         "patrol",
                                         "batching producer",
                                         "block list"};
  std::vector<std::string> words;
  for (const Row& row : RowsOfTheDocument()) words.push_back(row.word);
  for (const std::string& row : rows) {
    EXPECT_TRUE(std::find(words.begin(), words.end(), row) != words.end()) << row;
  }
  for (int rule = 1; rule <= 11; ++rule) {
    const std::string beginning = "rule " + std::to_string(rule) + ":";
    EXPECT_TRUE(std::any_of(words.begin(), words.end(), [&](const std::string& word) {
      return word.starts_with(beginning);
    })) << beginning;
  }
}

}  // namespace
}  // namespace grid::docs
