// Arbitrary bytes as the payload of a typed handler: read or refused with a reason, within the
// limits. What was read is written, and read again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "serialization/json.h"
#include "serialization/messagepack.h"

namespace grid::fuzz {
namespace {

struct Leaf {
  std::string name;
  int8_t tiny = 0;
  MSGPACK_DEFINE_MAP(name, tiny);
};

struct Pair {
  uint64_t first = 0;
  double second = 0;
  MSGPACK_DEFINE(first, second);
};

struct Value {
  bool flag = false;
  int64_t number = 0;
  std::string text;
  Bytes bytes;
  std::vector<Leaf> leaves;
  std::vector<bool> bits;
  std::map<std::string, Pair> pairs;
  UrlValues values;
  std::optional<StringMap> maybe;
  std::set<int> set;
  std::list<Leaf> list;
  std::unordered_map<int, Pair> table;
  std::multimap<int, int> tree;  // by msgpack-c's own conversion, as json is
  std::optional<Json> json;
  MSGPACK_DEFINE_MAP(flag, number, text, bytes, leaves, bits, pairs, values, maybe, set, list,
                     table, tree, json);
};

// Small, so that a short input can reach them.
constexpr DecodeLimits kLimits{
    .max_depth = 5, .max_length = 64, .max_elements = 8, .max_total = 4096};

// The bytes of a value that was read. A hash map's order is that of its history, so what is
// compared is sorted.
std::string Written(const Value& value) {
  Value rest = value;
  rest.table.clear();
  const std::map<int, Pair> table(value.table.begin(), value.table.end());
  Buffer bytes;
  if (!Encode(rest, bytes).ok() || !Encode(table, bytes).ok()) std::abort();
  return std::string(bytes.text());
}

void Run(BytesView input) {
  Value value;
  const absl::Status read = Decode(input, value, kLimits);
  if (!read.ok()) {
    if (read.message().empty() || read.message().size() > 1000) std::abort();
    return;
  }
  value.json.reset();  // Boost.JSON reads numbers of many digits to within an ulp only
  Buffer bytes;
  if (!Encode(value, bytes).ok()) std::abort();
  Value again;
  if (!Decode(bytes.view(), again).ok()) std::abort();
  if (Written(value) != Written(again)) std::abort();
}

}  // namespace
}  // namespace grid::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Never nil: that is no payload at all.
  grid::fuzz::Run(size == 0 ? grid::EmptyBytes() : grid::BytesView(data, size));
  return 0;
}
