// Publication: which of a publisher's messages a letter is. A Publisher numbers what it publishes,
// and the number travels with each letter, so that a subscriber notices what is missing, what comes
// twice and what comes late (grid/actor/sequence_check.h).
//
// A value.
#ifndef GRID_GRID_ACTOR_PUBLICATION_H_
#define GRID_GRID_ACTOR_PUBLICATION_H_

#include <cstdint>

namespace grid {

struct Publication {
  // Who publishes: PublisherOptions::id. Not 0.
  uint64_t publisher = 0;
  // Another one each time that publisher is made anew: its numbers begin again. Not 0.
  uint64_t incarnation = 0;
  uint64_t sequence = 0;  // 1, 2, 3 and so on

  friend bool operator==(const Publication&, const Publication&) = default;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_PUBLICATION_H_
