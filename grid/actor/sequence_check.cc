#include "grid/actor/sequence_check.h"

namespace grid {

SequenceCheck::Result SequenceCheck::Check(const Publication& publication) {
  ++stats_.seen;
  const auto found = by_id_.find(publication.publisher);
  if (found == by_id_.end()) {
    if (publishers_.size() >= max_publishers_) {
      by_id_.erase(publishers_.back().id);
      publishers_.pop_back();
      ++stats_.forgotten;
    }
    publishers_.push_front({.id = publication.publisher});
    by_id_.emplace(publication.publisher, publishers_.begin());
    stats_.publishers = publishers_.size();
    Begin(publishers_.front(), publication, publication.sequence);
    return {Verdict::kFirst};
  }
  publishers_.splice(publishers_.begin(), publishers_, found->second);
  Publisher& publisher = publishers_.front();
  if (publication.incarnation != publisher.incarnation) {
    if (publication.incarnation == publisher.before) {
      ++stats_.outdated;
      return {Verdict::kOutdated};
    }
    ++stats_.restarts;
    publisher.before = publisher.incarnation;
    return Begin(publisher, publication, 1);
  }
  if (publication.sequence <= publisher.last) return Behind(publisher, publication.sequence);
  const uint64_t step = publication.sequence - publisher.last;
  publisher.seen = step < kWindow ? publisher.seen << step | 1 : 1;
  publisher.last = publication.sequence;
  stats_.missed += step - 1;
  return {step == 1 ? Verdict::kNext : Verdict::kGap, step - 1};
}

SequenceCheck::Result SequenceCheck::Begin(Publisher& publisher, const Publication& publication,
                                           uint64_t from) {
  publisher.incarnation = publication.incarnation;
  publisher.last = publication.sequence;
  publisher.from = from;
  publisher.seen = 1;
  const uint64_t missed = publication.sequence > from ? publication.sequence - from : 0;
  stats_.missed += missed;
  return {Verdict::kRestart, missed};
}

SequenceCheck::Result SequenceCheck::Behind(Publisher& publisher, uint64_t sequence) {
  const uint64_t behind = publisher.last - sequence;
  const uint64_t bit = behind < kWindow ? uint64_t{1} << behind : 0;
  if (bit == 0 || (publisher.seen & bit) != 0) {
    ++stats_.duplicates;
    return {Verdict::kDuplicate};
  }
  publisher.seen |= bit;
  ++stats_.late;
  if (sequence >= publisher.from) --stats_.missed;
  return {Verdict::kLate};
}

}  // namespace grid
