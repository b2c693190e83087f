// What the keys and values of the etcd backend look like, and the parts of requests made of them.
//
//   grid/shop/cart/7!           an exclusive registration
//   grid/shop/cart/7!18c2-3     a shared one: incarnation and request tell it apart
//   grid/!member/http://a:1     a member: which lease is its session
//   grid/!flush                 while it is there no name is given away
//
// Pure functions. Internal to the etcd backend.
#ifndef GRID_GRID_DIRECTORY_ETCD_KEYS_H_
#define GRID_GRID_DIRECTORY_ETCD_KEYS_H_

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grid/directory/entry.h"
#include "grid/directory/etcd_gateway.h"
#include "grid/directory/selector.h"

namespace grid::internal::etcd {

// Between a name and what tells its registrations apart: below every byte that names have, so a
// name's own keys come before those of longer names.
inline constexpr char kMark = '!';
inline constexpr char kBehindMark = '"';
inline constexpr char kBehindNames = '{';  // above every byte that names have

struct EtcdRange {
  std::string begin;
  std::string end;
};

std::string MemberKey(const std::string& prefix, const std::string& member);
EtcdRange MemberRange(const std::string& prefix);
std::string FlushKey(const std::string& prefix);

// The range of keys that may hold what a selector means, and more.
EtcdRange RangeOf(const std::string& prefix, const Selector& selector);

// What one key says; nothing for a key that is none of ours, or not to be understood.
std::optional<Entry> EntryOf(const std::string& prefix, const json::object& pair);
// The value of a registration, and what it holds; empty for what is no JSON object.
std::string ValueText(const std::string& member, uint64_t incarnation, uint64_t request,
                      Holding holding, const Attributes& attributes);
json::object ValueObject(const json::object& pair);
std::string TextOf(const json::object& object, const char* field);

// Requests. A range without an end is one key.
json::object Range(const std::string& begin, const std::string& end);
// In a transaction: nothing was put there yet (0), or it was at that revision.
json::object Created(const std::string& begin, const std::string& end, uint64_t revision);
json::object Transaction(json::array compare, json::array success, json::array failure);

// Answers: whether the comparison held, the revision, the pairs that a range, or the ranges of a
// transaction, brought, and how many pairs a transaction has deleted.
bool Succeeded(const json::object& answer);
uint64_t Revision(const json::object& answer);
std::vector<json::object> Pairs(const json::object& range);
std::vector<json::object> TransactionPairs(const json::object& answer);
uint64_t Deleted(const json::object& answer);

}  // namespace grid::internal::etcd

#endif  // GRID_GRID_DIRECTORY_ETCD_KEYS_H_
