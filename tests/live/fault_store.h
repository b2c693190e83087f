// FencedStore: what the fault test has its hosts write to: a record for each name, outside of the
// cluster, that refuses every epoch below the highest it has seen. It also judges: whether two
// holders of a name could believe in it at the same time, and how long nobody held it.
//
//   free --Begin--> held by an epoch --End--> free
//                        |   fault of the holder
//                        +--------------> lost --a write with a token that was valid since--> held
//
// All times are CLOCK_MONOTONIC, which the processes of one machine share. Not thread-safe.
#ifndef GRID_TESTS_LIVE_FAULT_STORE_H_
#define GRID_TESTS_LIVE_FAULT_STORE_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grid/base/clock.h"

namespace grid::live {

class FencedStore {
 public:
  struct Write {
    uint32_t name = 0;
    uint64_t epoch = 0;
    int holder = 0;          // a process; one that was killed and started again is another
    TimePoint checked = {};  // before the holder looked at its token, which was valid
    TimePoint until = {};    // until when the token was good, as it stood then
  };

  explicit FencedStore(size_t names) : records_(names) {}

  // False: refused, there is a newer epoch.
  bool Accept(const Write& write) {
    Record& record = records_.at(write.name);
    if (write.epoch < record.epoch) {
      ++refused_;
      // The first one after it.
      const auto newer = record.begins.upper_bound(write.epoch);
      if (write.checked > newer->second) {
        Report(write.name, "epoch ", write.epoch, " had a valid token ",
               Millis(write.checked - newer->second), " ms after epoch ", newer->first,
               " had begun");
      }
      return false;
    }
    if (write.epoch > record.epoch) {
      Begin(record, write);
    } else if (write.holder != record.holder) {
      Report(write.name, "two processes have epoch ", write.epoch);
    }
    ++accepted_;
    record.written = std::max(record.written, write.checked);
    TimePoint& written = written_[write.holder];
    written = std::max(written, write.checked);
    record.until = std::max(record.until, write.until);
    if (record.resumed.has_value() && write.checked >= *record.resumed) record.resumed.reset();
    if (record.gap.has_value() && write.checked >= record.gap->from) {
      (record.gap->fault ? after_faults_ : after_ends_).push_back(write.checked - record.gap->from);
      record.gap.reset();
    }
    return true;
  }

  // The holder of this epoch has put it down, and waits for the answer before it gives it back.
  void End(uint32_t name, uint64_t epoch, TimePoint now) {
    Record& record = records_.at(name);
    if (epoch != record.epoch) return;
    record.free = true;
    record.ended = now;
    if (!record.gap.has_value()) record.gap = Gap{.from = now, .fault = false};
  }
  // It has heard that its lease is lost.
  void Lost(uint32_t name, uint64_t epoch, TimePoint now) {
    Record& record = records_.at(name);
    if (epoch != record.epoch) return;
    record.resumed = now;
    if (record.gap.has_value()) return;
    ++lost_without_fault_;
    record.gap = Gap{.from = now, .fault = false};
  }

  // The process was killed or suspended. Besides what it held, it may just have got what was free:
  // those names are waited for from now on, too.
  void Fault(int holder, TimePoint at) {
    down_.insert(holder);
    for (Record& record : records_) {
      if (record.epoch == 0) continue;
      const bool held = record.holder == holder && !record.free;
      const bool free = record.gap.has_value() && (record.free || record.until <= at);
      if (held || free) record.gap = Gap{.from = at, .fault = true};
    }
  }
  // It goes on, and may end its session itself.
  void Resumed(int holder, TimePoint at) {
    down_.erase(holder);
    for (Record& record : records_) {
      if (record.holder == holder) record.resumed = at;
    }
  }
  // It is dead, and another one begins under its name, which ends its session.
  void Replaced(int holder) {
    down_.erase(holder);
    for (Record& record : records_) {
      if (record.holder == holder) record.free = true;
    }
  }

  // Names that were written with a token that was valid at `since` or later.
  size_t HeldSince(TimePoint since) const {
    return static_cast<size_t>(
        std::count_if(records_.begin(), records_.end(),
                      [&](const Record& record) { return record.written >= since; }));
  }
  // The same of a process: whether it has held any.
  bool HasHeldSince(int holder, TimePoint since) const {
    const auto found = written_.find(holder);
    return found != written_.end() && found->second >= since;
  }

  uint64_t accepted() const { return accepted_; }
  uint64_t refused() const { return refused_; }
  uint64_t terms() const { return terms_; }
  uint64_t lost_without_fault() const { return lost_without_fault_; }
  // How long names were without a holder: after faults, and after they were put down.
  const std::vector<Duration>& after_faults() const { return after_faults_; }
  const std::vector<Duration>& after_ends() const { return after_ends_; }
  // From the end of a token to the next holder of its name, where the last one was down all the
  // time: then only the end of its lease can have freed the name.
  Duration least_margin() const { return least_margin_; }
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Gap {
    TimePoint from;
    bool fault = false;
  };
  struct Record {
    uint64_t epoch = 0;  // 0: nobody ever
    int holder = 0;
    TimePoint written = {};  // Write::checked of the last one
    TimePoint until = {};    // the latest that was heard of
    bool free = false;       // put down, or its holder is dead and has a successor
    TimePoint ended = {};    // when it was put down
    // Its holder went on then, or has said that it lost its lease, and has not written since.
    std::optional<TimePoint> resumed = {};
    std::optional<Gap> gap = {};
    std::map<uint64_t, TimePoint> begins = {};
  };

  static int64_t Millis(Duration time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  }
  template <typename... Parts>
  void Report(uint32_t name, const Parts&... parts) {
    violations_.push_back(absl::StrCat("name ", name, ": ", parts...));
  }

  void Begin(Record& record, const Write& write) {
    if (record.epoch != 0 && !record.free) {
      const Duration margin = write.checked - record.until;
      const bool went_on = record.resumed.has_value() || !down_.contains(record.holder);
      if (!went_on) least_margin_ = std::min(least_margin_, margin);
      if (margin <= Duration::zero()) {
        Report(write.name, "epoch ", write.epoch, " began ", Millis(-margin),
               " ms before the token of epoch ", record.epoch, " ended");
      }
    }
    if (write.checked < record.ended) {
      Report(write.name, "epoch ", write.epoch, " began ", Millis(record.ended - write.checked),
             " ms before epoch ", record.epoch, " was put down");
    }
    ++terms_;
    record.begins.emplace(write.epoch, write.checked);
    record.epoch = write.epoch;
    record.holder = write.holder;
    record.until = write.until;
    record.free = false;
    record.resumed.reset();
  }

  std::vector<Record> records_;
  std::map<int, TimePoint> written_;  // by holder: of its last one
  std::set<int> down_;
  uint64_t accepted_ = 0, refused_ = 0, terms_ = 0, lost_without_fault_ = 0;
  std::vector<Duration> after_faults_, after_ends_;
  Duration least_margin_ = Duration::max();
  std::vector<std::string> violations_;
};

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_FAULT_STORE_H_
