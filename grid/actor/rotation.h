// Rotation: those that a Selector means, and whose turn it is by a Routing.
//
//   Rotation rotation(selector, Routing::RoundRobin(), self, seed);
//   rotation.Reset(entries, true);
//   std::shared_ptr<Candidate> next = rotation.Pick({});
//
// Who could not be reached leaves (Leave), and is back once the directory says something of it, or
// it can be reached again (Join). When all have left, all are in again: the only one is always
// tried. Who is marked kDraining is left out, unless the selector asks for that attribute; or
// unless it asks for names, and nobody else that it means is there. Who is closed takes nothing any
// more, and is left out in any case.
//
// Pure: no I/O, no clock. Its owner locks; of a Candidate the atomic members may be used without.
#ifndef GRID_GRID_ACTOR_ROTATION_H_
#define GRID_GRID_ACTOR_ROTATION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "grid/actor/target.h"
#include "grid/directory/entry.h"
#include "grid/directory/routing.h"
#include "grid/directory/selector.h"

namespace grid::internal {

class LetterBox;

struct Candidate {
  // `self`: our own member.
  Candidate(const Entry& entry, std::string_view self);

  const Target target;
  const bool here;  // in our own process
  bool draining = false;
  bool closed = false;
  // For Routing::Hash: of its name, and of its member.
  std::pair<uint64_t, uint64_t> score = {};
  std::atomic<uint32_t> outstanding{0};  // messages of ours without an outcome
  std::atomic<bool> left{false};         // not in the rotation
  // Where its letters arrive, once that was found, of one that is here. Its owner's, as all the
  // rest: the Rotation has nothing to do with it.
  std::weak_ptr<LetterBox> box = {};
};

using CandidatePtr = std::shared_ptr<Candidate>;

class Rotation {
 public:
  // `self`: our own member.
  Rotation(const Selector& selector, Routing routing, std::string self, uint64_t seed);

  // All there is. Who was there before keeps its outstanding messages; with `news`, who had left is
  // in again.
  void Reset(const std::vector<Entry>& entries, bool news);
  // One that is new or has changed; it is in.
  void Put(const Entry& entry);
  void Remove(const Name& name, uint64_t epoch);
  void Leave(Candidate& candidate);
  void Join(Candidate& candidate);
  // For good.
  void Shut(Candidate& candidate);
  // Whether Pick has anybody.
  bool anybody() const;
  // Those that have left and stand on that member.
  std::vector<CandidatePtr> LeftAt(std::string_view member) const;

  // Whose turn it is; null when there is nobody. By a Routing that takes one. Those in `tried` only
  // when there is nobody else, but for kHash: a key belongs to the same one as long as that is in.
  //
  // kLocalFirst: in turn those of our own member, or if there are none, the others. kRandom: each
  // as likely. kRoundRobin: in turn, by name. kLeastOutstanding: of equal ones in turn. kHash: the
  // name with the greatest rendezvous score for the key; of its holders, the member with the
  // greatest. So keys stay with a name when it moves to another member.
  CandidatePtr Pick(std::span<const CandidatePtr> tried);

  // Whom a message to several is for, by name and epoch. kAll and kFirst: everybody, also those
  // that have left. kOnePerNextSegment: in turn one of each group, where there is a choice one that
  // is in; a group is those whose names are alike up to the segment that follows the selector's
  // path, or, for a selector of names, the holders of one name.
  std::vector<CandidatePtr> Select();
  // For kOnePerNextSegment: the next one of the group that `tried` are of (not empty); neither one
  // of them nor who has left. Null when there is none.
  CandidatePtr Another(std::span<const CandidatePtr> tried);

  // Null when it is not there.
  CandidatePtr Find(const Name& name, uint64_t epoch) const;
  // The holders of a name, the oldest first.
  std::vector<CandidatePtr> Holders(const Name& name) const;
  size_t size() const { return all_.size(); }

 private:
  using Key = std::pair<Name, uint64_t>;

  CandidatePtr Make(const Entry& entry) const;
  bool Meant(const Candidate& candidate) const {
    return !candidate.closed && (!candidate.draining || takes_draining_);
  }
  void Rebuild();
  uint64_t Random();
  CandidatePtr InTurn(size_t begin, size_t end, std::span<const CandidatePtr> tried);
  CandidatePtr FromOn(size_t start, size_t begin, size_t end, std::span<const CandidatePtr> tried);
  CandidatePtr Least(std::span<const CandidatePtr> tried);

  const Routing routing_;
  const std::string self_;
  const size_t group_segments_;  // of a name that say its group; 0: all of them
  const bool by_name_;
  const bool takes_draining_;
  uint64_t random_;
  uint64_t turn_ = 0;

  std::map<Key, CandidatePtr> all_;
  // Made from all_ when it is needed.
  bool stale_ = true;
  std::vector<CandidatePtr> meant_;  // all_ without those that drain
  std::vector<CandidatePtr> in_;     // meant_ without those that have left
  size_t local_ = 0;                 // kLocalFirst: how many there are at the front of in_
  std::map<std::string, std::vector<CandidatePtr>, std::less<>> groups_;  // kOnePerNextSegment
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_ROTATION_H_
