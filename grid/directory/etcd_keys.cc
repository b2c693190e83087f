#include "grid/directory/etcd_keys.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::internal::etcd {

std::string MemberKey(const std::string& prefix, const std::string& member) {
  return absl::StrCat(prefix, "!member/", member);
}
EtcdRange MemberRange(const std::string& prefix) {
  return {.begin = absl::StrCat(prefix, "!member/"), .end = absl::StrCat(prefix, "!member0")};
}
std::string FlushKey(const std::string& prefix) { return absl::StrCat(prefix, "!flush"); }

json::object Range(const std::string& begin, const std::string& end) {
  json::object range{{"key", EtcdBase64(begin)}};
  if (!end.empty()) range["range_end"] = EtcdBase64(end);
  return range;
}

// In a transaction: nothing was put there yet, or it was at that revision.
json::object Created(const std::string& begin, const std::string& end, uint64_t revision) {
  json::object compare = Range(begin, end);
  compare["target"] = "CREATE";
  compare["result"] = "EQUAL";
  compare["create_revision"] = std::to_string(revision);
  return compare;
}

json::object Transaction(json::array compare, json::array success, json::array failure) {
  return {{"compare", std::move(compare)},
          {"success", std::move(success)},
          {"failure", std::move(failure)}};
}

bool Succeeded(const json::object& answer) {
  const json::value* value = answer.if_contains("succeeded");
  return value != nullptr && value->is_bool() && value->get_bool();
}

// The pairs that a range brought; also as a part of a transaction.
std::vector<json::object> Pairs(const json::object& range) {
  std::vector<json::object> pairs;
  const json::value* kvs = range.if_contains("kvs");
  if (kvs == nullptr || !kvs->is_array()) return pairs;
  for (const json::value& pair : kvs->get_array()) {
    if (pair.is_object()) pairs.push_back(pair.get_object());
  }
  return pairs;
}

namespace {

template <typename Visit>
void ForEachResponse(const json::object& answer, Visit visit) {
  const json::value* responses = answer.if_contains("responses");
  if (responses == nullptr || !responses->is_array()) return;
  for (const json::value& response : responses->get_array()) {
    if (response.is_object()) visit(response.get_object());
  }
}

}  // namespace

std::vector<json::object> TransactionPairs(const json::object& answer) {
  std::vector<json::object> pairs;
  ForEachResponse(answer, [&](const json::object& response) {
    for (json::object& pair : Pairs(EtcdObject(response, "response_range"))) {
      pairs.push_back(std::move(pair));
    }
  });
  return pairs;
}

uint64_t Deleted(const json::object& answer) {
  uint64_t count = 0;
  ForEachResponse(answer, [&](const json::object& response) {
    count += EtcdNumber(EtcdObject(response, "response_delete_range"), "deleted");
  });
  return count;
}

json::object ValueObject(const json::object& pair) {
  boost::system::error_code ec;
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  json::value value = json::parse(EtcdBytes(pair, "value"), ec, {}, options);
  return !ec && value.is_object() ? value.get_object() : json::object();
}

std::string ValueText(const std::string& member, uint64_t incarnation, uint64_t request,
                      Holding holding, const Attributes& attributes) {
  json::object values;
  for (const auto& [key, value] : attributes) values[key] = value;
  const std::string_view how = HoldingName(holding);
  return json::serialize(json::object{{"member", member},
                                      {"incarnation", incarnation},
                                      {"request", request},
                                      {"holding", json::string_view(how.data(), how.size())},
                                      {"attributes", std::move(values)}});
}

std::string TextOf(const json::object& object, const char* field) {
  const json::value* value = object.if_contains(field);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

uint64_t Revision(const json::object& answer) {
  return EtcdNumber(EtcdObject(answer, "header"), "revision");
}

EtcdRange RangeOf(const std::string& prefix, const Selector& selector) {
  if (selector.under().has_value()) {
    // Every name: from behind what is marked to behind the last letter.
    if (selector.under()->size() == 0) {
      return {.begin = prefix + kBehindMark, .end = prefix + kBehindNames};
    }
    EtcdRange range{.begin = prefix + selector.under()->text(), .end = ""};
    range.end = range.begin;
    ++range.end.back();  // a letter, digit or . _ -: there is a next byte
    return range;
  }
  if (selector.names().empty()) return {.begin = prefix + "!none", .end = prefix + "!none!"};
  return {.begin = prefix + selector.names().begin()->text() + kMark,
          .end = prefix + selector.names().rbegin()->text() + kBehindMark};
}

std::optional<Entry> EntryOf(const std::string& prefix, const json::object& pair) {
  const std::string key = EtcdBytes(pair, "key");
  const size_t mark = key.rfind(kMark);
  if (!key.starts_with(prefix) || mark == std::string::npos || mark < prefix.size()) return {};
  absl::StatusOr<Name> name =
      Name::Parse(std::string_view(key).substr(prefix.size(), mark - prefix.size()));
  if (!name.ok()) return std::nullopt;
  const json::object value = ValueObject(pair);
  Entry entry{.name = *std::move(name),
              .holding = TextOf(value, "holding") == HoldingName(Holding::kShared)
                             ? Holding::kShared
                             : Holding::kExclusive,
              .epoch = EtcdNumber(pair, "create_revision"),
              .member = TextOf(value, "member"),
              .incarnation = EtcdNumber(value, "incarnation")};
  for (const auto& [attribute, text] : EtcdObject(value, "attributes")) {
    if (text.is_string()) entry.attributes.emplace(attribute, text.get_string());
  }
  return entry;
}

}  // namespace grid::internal::etcd
