#include "tools/gridctl/entry_output.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/directory/text_cursor.h"
#include "tools/common/utf8.h"

namespace grid::tools {
namespace {

namespace json = boost::json;

bool Hidden(const std::string& key) { return key.starts_with('_'); }

}  // namespace

std::string EntryLine(const Entry& entry, size_t width, bool attributes) {
  std::string line = entry.name.text();
  line.append(std::max(width, line.size()) - line.size(), ' ');
  const std::string holding(HoldingName(entry.holding));
  absl::StrAppend(&line, "  ", holding,
                  std::string(std::string_view("exclusive").size() - holding.size(), ' '),
                  "  epoch ", entry.epoch, "  ", internal::Quoted(entry.member));
  if (!attributes) return line;
  for (const auto& [key, value] : entry.attributes) {
    if (Hidden(key)) continue;
    absl::StrAppend(&line, "  ", internal::Quoted(key), "=", internal::Quoted(value));
  }
  return line;
}

size_t NameWidth(const std::vector<Entry>& entries) {
  size_t width = 0;
  for (const Entry& entry : entries) width = std::max(width, entry.name.text().size());
  return width;
}

json::array EntriesToJson(const std::vector<Entry>& entries) {
  json::array out;
  for (const Entry& entry : entries) {
    json::object attributes;
    for (const auto& [key, value] : entry.attributes) {
      if (!Hidden(key)) attributes[Shown(key)] = Shown(value);
    }
    out.push_back(json::object{{"name", entry.name.text()},
                               {"holding", std::string(HoldingName(entry.holding))},
                               {"epoch", entry.epoch},
                               {"member", Shown(entry.member)},
                               {"incarnation", entry.incarnation},
                               {"attributes", std::move(attributes)}});
  }
  return out;
}

}  // namespace grid::tools
