// Routing: how many of those that a Selector means are taken, and which.
//
//   Routing::LocalFirst()        "one(local-first)"     one in this process if there is any
//   Routing::Random()            "one(random)"
//   Routing::RoundRobin()        "one(round-robin)"
//   Routing::LeastOutstanding()  "one(least-outstanding)"  the one with the fewest calls of ours
//   Routing::Hash("user-7")      "one(hash(user-7))"    for a key always the same, see rendezvous.h
//   Routing::All()               "all"
//   Routing::First(3)            "first(3)"             all; the first 3 answers count
//   Routing::OnePerNextSegment() "one-per-next-segment" one of each group below the path
//
// A pure value; ToString and Parse are exact inverses. Any thread.
#ifndef GRID_GRID_DIRECTORY_ROUTING_H_
#define GRID_GRID_DIRECTORY_ROUTING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grid {

class Routing {
 public:
  enum class Mode {
    kLocalFirst,
    kRandom,
    kRoundRobin,
    kLeastOutstanding,
    kHash,
    kAll,
    kOnePerNextSegment,
    kFirst,
  };
  static constexpr size_t kMaxKeyBytes = 4096;
  static constexpr uint32_t kMaxCount = 1'000'000;

  Routing() = default;  // LocalFirst
  static Routing LocalFirst() { return Routing(Mode::kLocalFirst); }
  static Routing Random() { return Routing(Mode::kRandom); }
  static Routing RoundRobin() { return Routing(Mode::kRoundRobin); }
  static Routing LeastOutstanding() { return Routing(Mode::kLeastOutstanding); }
  static Routing Hash(std::string key) { return Routing(Mode::kHash, std::move(key)); }
  static Routing All() { return Routing(Mode::kAll); }
  static Routing OnePerNextSegment() { return Routing(Mode::kOnePerNextSegment); }
  static Routing First(uint32_t count) { return Routing(Mode::kFirst, {}, count); }

  Mode mode() const { return mode_; }
  // True for the modes that take exactly one target: what Send and Call need.
  bool one() const { return mode_ <= Mode::kHash; }
  const std::string& key() const { return key_; }  // of kHash; otherwise empty
  uint32_t count() const { return count_; }        // of kFirst; otherwise 0

  // kInvalidArgument for a key of more than kMaxKeyBytes, or a count outside 1 to kMaxCount.
  absl::Status Check() const;
  std::string ToString() const;
  // kInvalidArgument says at which byte, counted from 0, and includes what Check finds.
  static absl::StatusOr<Routing> Parse(std::string_view text);

  friend bool operator==(const Routing&, const Routing&) = default;

 private:
  explicit Routing(Mode mode, std::string key = {}, uint32_t count = 0)
      : mode_(mode), key_(std::move(key)), count_(count) {}

  Mode mode_ = Mode::kLocalFirst;
  std::string key_;
  uint32_t count_ = 0;
};

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_ROUTING_H_
