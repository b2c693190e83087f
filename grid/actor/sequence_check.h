// SequenceCheck: what a subscriber learns from the numbers of what it gets: what is missing, what
// came twice, what came late, and that a publisher was started anew.
//
//   SequenceCheck check;
//   On(kOrder, [this](const Order& order, ActorContext& context) -> absl::Status {
//     if (const auto& publication = context.sender().publication) {
//       const SequenceCheck::Result seen = check_.Check(*publication);
//       if (!seen.fresh()) return absl::OkStatus();        // it was here before
//       if (seen.missed > 0) Refetch();                     // as many were lost on the way
//     }
//     ...
//   });
//
// One for each subscriber: it takes what it is shown for all that this one gets. Not where
// subscribers share what is published (Routing::OnePerNextSegment): there every number that another
// one gets is a gap. Publishers are told apart by their ids, those seen last are remembered.
//
// A state machine without a clock. Not thread-safe.
#ifndef GRID_GRID_ACTOR_SEQUENCE_CHECK_H_
#define GRID_GRID_ACTOR_SEQUENCE_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <list>

#include "absl/container/flat_hash_map.h"
#include "grid/actor/publication.h"

namespace grid {

class SequenceCheck {
 public:
  enum class Verdict {
    kFirst,      // of a publisher that is not known: what it said before was not for us
    kNext,       // the one after the last
    kGap,        // Result::missed numbers lie between it and the last
    kLate,       // one of those that were missing
    kDuplicate,  // it was here before; or it is kWindow or more behind, and nobody can tell
    kRestart,    // the publisher was made anew; Result::missed of its new numbers are missing. What
                 // it said last before that may be, too
    kOutdated,   // from before the last restart of its publisher, and comes late
  };
  struct Result {
    Verdict verdict;
    uint64_t missed = 0;  // of kGap and kRestart
    // It was not here before, as far as can be told.
    bool fresh() const { return verdict != Verdict::kDuplicate; }
  };
  // How far behind its publisher's last number a late one is told from one that comes twice.
  static constexpr uint64_t kWindow = 64;

  // Totals; gauges say so.
  struct Stats {
    uint64_t publishers = 0;  // gauge: remembered
    uint64_t seen = 0;
    uint64_t missed = 0;  // gauge: numbers that were passed over, and have not come late
    uint64_t late = 0, duplicates = 0, restarts = 0, outdated = 0;
    uint64_t forgotten = 0;  // publishers, for max_publishers: unknown when they come again
  };

  // Beyond `max_publishers`, at least 1, the one that was silent for longest is forgotten.
  explicit SequenceCheck(size_t max_publishers = 1'000)
      : max_publishers_(max_publishers > 0 ? max_publishers : 1) {}

  Result Check(const Publication& publication);
  const Stats& stats() const { return stats_; }

 private:
  struct Publisher {
    uint64_t id = 0;
    uint64_t incarnation = 0;
    uint64_t before = 0;  // the incarnation before this one; 0: none is known
    uint64_t last = 0;    // the highest number that has come
    uint64_t from = 0;    // those below it are not missed
    uint64_t seen = 0;    // of the kWindow numbers up to `last`; bit 0 is `last`
  };
  using Publishers = std::list<Publisher>;  // the one that has spoken last first

  Result Begin(Publisher& publisher, const Publication& publication, uint64_t from);
  Result Behind(Publisher& publisher, uint64_t sequence);

  const size_t max_publishers_;
  Publishers publishers_;
  absl::flat_hash_map<uint64_t, Publishers::iterator> by_id_;
  Stats stats_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_SEQUENCE_CHECK_H_
