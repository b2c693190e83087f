#include "grid/actor/rotation.h"

#include <algorithm>
#include <tuple>

#include "grid/actor/actor_options.h"
#include "grid/directory/rendezvous.h"

namespace grid::internal {
namespace {

bool Drains(const Entry& entry) {
  const auto found = entry.attributes.find(kDraining);
  return found != entry.attributes.end() && found->second == "true";
}

bool Among(std::span<const CandidatePtr> tried, const CandidatePtr& candidate) {
  return std::find(tried.begin(), tried.end(), candidate) != tried.end();
}

// Whether the key of kHash belongs to `a` rather than to `b`.
bool Before(const Candidate& a, const Candidate& b) {
  if (a.target.name != b.target.name) {
    return std::tie(a.score.first, b.target.name) > std::tie(b.score.first, a.target.name);
  }
  if (a.target.member != b.target.member) {
    return std::tie(a.score.second, b.target.member) > std::tie(b.score.second, a.target.member);
  }
  return a.target.epoch < b.target.epoch;
}

// The part of the name that says its group.
std::string_view GroupOf(const Name& name, size_t segments) {
  const std::string_view text = name.text();
  size_t end = 0;
  for (size_t i = 0; i < segments && end != std::string_view::npos; ++i) {
    end = text.find('/', end == 0 ? 0 : end + 1);
  }
  return segments == 0 ? text : text.substr(0, end);
}

}  // namespace

Candidate::Candidate(const Entry& entry, std::string_view self)
    : target{.name = entry.name, .member = entry.member, .epoch = entry.epoch},
      here(entry.member == self),
      draining(Drains(entry)) {}

Rotation::Rotation(const Selector& selector, Routing routing, std::string self, uint64_t seed)
    : routing_(std::move(routing)),
      self_(std::move(self)),
      group_segments_(selector.under().has_value() ? selector.under()->size() + 1 : 0),
      by_name_(!selector.under().has_value()),
      takes_draining_(selector.where().contains(kDraining)),
      random_(seed) {}

CandidatePtr Rotation::Make(const Entry& entry) const {
  auto candidate = std::make_shared<Candidate>(entry, self_);
  if (routing_.mode() == Routing::Mode::kHash) {
    candidate->score = {RendezvousScore(entry.name.text(), routing_.key()),
                        RendezvousScore(entry.member, routing_.key())};
  }
  return candidate;
}

void Rotation::Reset(const std::vector<Entry>& entries, bool news) {
  std::map<Key, CandidatePtr> before;
  before.swap(all_);
  for (const Entry& entry : entries) {
    Key key(entry.name, entry.epoch);
    const auto known = before.find(key);
    CandidatePtr& candidate = all_[std::move(key)];
    if (known == before.end()) {
      candidate = Make(entry);
      continue;
    }
    candidate = known->second;
    candidate->draining = Drains(entry);
    if (news) candidate->left = false;
  }
  stale_ = true;
}

void Rotation::Put(const Entry& entry) {
  CandidatePtr& candidate = all_[Key(entry.name, entry.epoch)];
  if (candidate == nullptr) {
    candidate = Make(entry);
  } else {
    candidate->draining = Drains(entry);
    candidate->left = false;
  }
  stale_ = true;
}

void Rotation::Remove(const Name& name, uint64_t epoch) {
  if (all_.erase(Key(name, epoch)) > 0) stale_ = true;
}

void Rotation::Leave(Candidate& candidate) {
  candidate.left = true;
  stale_ = true;
}

void Rotation::Join(Candidate& candidate) {
  candidate.left = false;
  stale_ = true;
}

void Rotation::Shut(Candidate& candidate) {
  candidate.closed = true;
  stale_ = true;
}

bool Rotation::anybody() const {
  return std::any_of(all_.begin(), all_.end(), [&](const auto& entry) {
    return by_name_ ? !entry.second->closed : Meant(*entry.second);
  });
}

std::vector<CandidatePtr> Rotation::LeftAt(std::string_view member) const {
  std::vector<CandidatePtr> left;
  for (const auto& [key, candidate] : all_) {
    if (candidate->left && candidate->target.member == member) left.push_back(candidate);
  }
  return left;
}

void Rotation::Rebuild() {
  if (!std::exchange(stale_, false)) return;
  meant_.clear();
  for (const auto& [key, candidate] : all_) {
    if (Meant(*candidate)) meant_.push_back(candidate);
  }
  if (meant_.empty() && by_name_) {
    for (const auto& [key, candidate] : all_) {
      if (!candidate->closed) meant_.push_back(candidate);
    }
  }
  in_.clear();
  for (const CandidatePtr& candidate : meant_) {
    if (!candidate->left) in_.push_back(candidate);
  }
  if (in_.empty()) in_ = meant_;

  switch (routing_.mode()) {
    case Routing::Mode::kLocalFirst: {
      const auto others = std::stable_partition(
          in_.begin(), in_.end(), [](const CandidatePtr& candidate) { return candidate->here; });
      local_ = static_cast<size_t>(others - in_.begin());
      break;
    }
    case Routing::Mode::kHash: {
      const auto owner = std::min_element(
          in_.begin(), in_.end(),
          [](const CandidatePtr& a, const CandidatePtr& b) { return Before(*a, *b); });
      if (owner != in_.end()) std::iter_swap(in_.begin(), owner);
      break;
    }
    case Routing::Mode::kOnePerNextSegment:
      groups_.clear();
      for (const CandidatePtr& candidate : meant_) {
        groups_[std::string(GroupOf(candidate->target.name, group_segments_))].push_back(candidate);
      }
      break;
    default:
      break;
  }
}

uint64_t Rotation::Random() {
  // splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
  uint64_t z = (random_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

CandidatePtr Rotation::FromOn(size_t start, size_t begin, size_t end,
                              std::span<const CandidatePtr> tried) {
  const size_t count = end - begin;
  for (size_t i = 0; i < count; ++i) {
    const CandidatePtr& candidate = in_[begin + (start + i) % count];
    if (tried.empty() || !Among(tried, candidate)) return candidate;
  }
  return nullptr;
}

CandidatePtr Rotation::InTurn(size_t begin, size_t end, std::span<const CandidatePtr> tried) {
  if (begin == end) return nullptr;
  return FromOn(turn_++ % (end - begin), begin, end, tried);
}

CandidatePtr Rotation::Least(std::span<const CandidatePtr> tried) {
  const size_t count = in_.size();
  const size_t start = turn_++ % count;
  const CandidatePtr* best = nullptr;
  uint32_t least = 0;
  for (size_t i = 0; i < count; ++i) {
    const CandidatePtr& candidate = in_[(start + i) % count];
    if (!tried.empty() && Among(tried, candidate)) continue;
    const uint32_t outstanding = candidate->outstanding.load(std::memory_order_relaxed);
    if (best != nullptr && outstanding >= least) continue;
    best = &candidate;
    least = outstanding;
    if (least == 0) break;
  }
  return best == nullptr ? nullptr : *best;
}

CandidatePtr Rotation::Pick(std::span<const CandidatePtr> tried) {
  Rebuild();
  if (in_.empty()) return nullptr;
  CandidatePtr picked;
  switch (routing_.mode()) {
    case Routing::Mode::kLocalFirst:
      picked = InTurn(0, local_, tried);
      if (picked == nullptr) picked = InTurn(local_, in_.size(), tried);
      break;
    case Routing::Mode::kRandom:
      picked = FromOn(Random() % in_.size(), 0, in_.size(), tried);
      break;
    case Routing::Mode::kLeastOutstanding:
      picked = Least(tried);
      break;
    case Routing::Mode::kHash:
      return in_.front();
    default:
      picked = InTurn(0, in_.size(), tried);
      break;
  }
  // Everybody was tried: from the beginning.
  if (picked == nullptr && !tried.empty()) return Pick({});
  return picked;
}

std::vector<CandidatePtr> Rotation::Select() {
  Rebuild();
  if (routing_.mode() != Routing::Mode::kOnePerNextSegment) return meant_;
  std::vector<CandidatePtr> selected;
  selected.reserve(groups_.size());
  const uint64_t turn = turn_++;
  for (const auto& [segment, group] : groups_) {
    const size_t size = group.size();
    const CandidatePtr* chosen = &group[turn % size];
    for (size_t i = 0; i < size && (*chosen)->left; ++i) {
      const CandidatePtr& next = group[(turn + i) % size];
      if (!next->left) chosen = &next;
    }
    selected.push_back(*chosen);
  }
  return selected;
}

CandidatePtr Rotation::Another(std::span<const CandidatePtr> tried) {
  Rebuild();
  const auto found = groups_.find(GroupOf(tried.back()->target.name, group_segments_));
  if (found == groups_.end()) return nullptr;
  const std::vector<CandidatePtr>& group = found->second;
  const uint64_t turn = turn_++;
  for (size_t i = 0; i < group.size(); ++i) {
    const CandidatePtr& candidate = group[(turn + i) % group.size()];
    if (!candidate->left && !Among(tried, candidate)) return candidate;
  }
  return nullptr;
}

CandidatePtr Rotation::Find(const Name& name, uint64_t epoch) const {
  const auto found = all_.find(Key(name, epoch));
  return found == all_.end() ? nullptr : found->second;
}

std::vector<CandidatePtr> Rotation::Holders(const Name& name) const {
  std::vector<CandidatePtr> holders;
  for (auto at = all_.lower_bound(Key(name, 0)); at != all_.end() && at->first.first == name;
       ++at) {
    holders.push_back(at->second);
  }
  return holders;
}

}  // namespace grid::internal
