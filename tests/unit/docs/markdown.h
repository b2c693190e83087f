// Reads the documents for the tests that hold them to the code.
#ifndef GRID_TESTS_UNIT_DOCS_MARKDOWN_H_
#define GRID_TESTS_UNIT_DOCS_MARKDOWN_H_

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace grid::docs {

// A file of the source tree; throws when it is not there, which fails the test that asked.
inline std::string ReadSource(const std::string& path) {
  std::ifstream in(std::string(GRID_SOURCE_DIR) + "/" + path, std::ios::binary);
  if (!in) throw std::runtime_error("no file " + path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline std::vector<std::string> Lines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// What stands between ``` and ```.
struct Block {
  std::string info;  // behind the opening ```: "hex request"
  std::string text;  // with a newline at the end of each line
};

inline std::vector<Block> Blocks(const std::string& document) {
  std::vector<Block> blocks;
  bool inside = false;
  for (const std::string& line : Lines(document)) {
    if (line.starts_with("```")) {
      if (!inside) blocks.push_back({line.substr(3), ""});
      inside = !inside;
    } else if (inside) {
      blocks.back().text += line + "\n";
    }
  }
  if (inside) throw std::runtime_error("a ``` is not closed");
  return blocks;
}

// The one block with this info; throws when there is none or more than one.
inline std::string BlockText(const std::string& document, std::string_view info) {
  const std::string* found = nullptr;
  const std::vector<Block> blocks = Blocks(document);
  for (const Block& block : blocks) {
    if (block.info != info) continue;
    if (found != nullptr) throw std::runtime_error("two blocks " + std::string(info));
    found = &block.text;
  }
  if (found == nullptr) throw std::runtime_error("no block " + std::string(info));
  return *found;
}

// From the line that is `heading` to the next heading of the same or a higher level.
inline std::string Section(const std::string& document, const std::string& heading) {
  const size_t level = heading.find(' ');
  std::string text;
  bool inside = false, fenced = false;
  for (const std::string& line : Lines(document)) {
    if (line.starts_with("```")) fenced = !fenced;
    if (inside && !fenced && line.starts_with("#") && line.find(' ') <= level) break;
    if (line == heading) inside = true;
    if (inside) text += line + "\n";
  }
  if (text.empty()) throw std::runtime_error("no section " + heading);
  return text;
}

}  // namespace grid::docs

#endif  // GRID_TESTS_UNIT_DOCS_MARKDOWN_H_
