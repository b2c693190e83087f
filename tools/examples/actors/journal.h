// What outlives a master and its workers: which jobs have a result, and how often each was
// executed.
#ifndef GRID_TOOLS_EXAMPLES_ACTORS_JOURNAL_H_
#define GRID_TOOLS_EXAMPLES_ACTORS_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tools/examples/demonstration.h"

namespace examples {

// What there is to do, and what has come of it. It outlives a master: a program of yours would have
// it on a disk. Any thread.
class Journal {
 public:
  // A job that has failed, or else a new one if `more` are wanted.
  std::optional<uint64_t> Take(bool more) {
    const std::lock_guard lock(mutex_);
    if (open_.empty() && !more) return std::nullopt;
    if (open_.empty()) open_.insert(jobs_++);
    const uint64_t job = *open_.begin();
    open_.erase(job);
    taken_.insert(job);
    return job;
  }
  void GiveBack(uint64_t job) {
    const std::lock_guard lock(mutex_);
    if (taken_.erase(job) > 0) open_.insert(job);
  }
  // For a master that begins: whatever the one before had under way is to be done again.
  void GiveAllBack() {
    const std::lock_guard lock(mutex_);
    open_.merge(taken_);
    taken_.clear();
  }
  void Done(uint64_t job, int64_t result, const std::string& worker) {
    const std::lock_guard lock(mutex_);
    taken_.erase(job);
    results_[job] = result;
    ++answers_[worker];
  }

  // Waits for so many more results.
  void Await(size_t more) const {
    const size_t goal = results().size() + more;
    demonstration::Require(demonstration::WaitUntil([&] { return results().size() >= goal; }),
                           "jobs do not go on");
  }
  // Waits until each of `workers` has done one more.
  void AwaitFrom(const std::vector<std::string>& workers) const {
    const std::map<std::string, size_t> before = answers();
    const auto has_answered = [&](const std::string& worker) {
      const auto was = before.find(worker);
      const std::map<std::string, size_t> now = answers();
      const auto is = now.find(worker);
      return is != now.end() && is->second > (was != before.end() ? was->second : 0);
    };
    for (const std::string& worker : workers) {
      demonstration::Require(demonstration::WaitUntil([&] { return has_answered(worker); }),
                             worker + " does no job");
    }
  }
  size_t jobs() const {
    const std::lock_guard lock(mutex_);
    return jobs_;
  }
  std::map<uint64_t, int64_t> results() const {
    const std::lock_guard lock(mutex_);
    return results_;
  }
  std::map<std::string, size_t> answers() const {
    const std::lock_guard lock(mutex_);
    return answers_;
  }

 private:
  mutable std::mutex mutex_;
  uint64_t jobs_ = 0;         // that there have ever been
  std::set<uint64_t> open_;   // nobody works on them
  std::set<uint64_t> taken_;  // a master has sent them out
  std::map<uint64_t, int64_t> results_;
  std::map<std::string, size_t> answers_;  // by worker
};

// How often each job was executed: what all workers note for the demonstration. Any thread.
class Executions {
 public:
  void Note(uint64_t job) {
    const std::lock_guard lock(mutex_);
    if (++times_[job] > 1) repeated_.insert(job);
  }
  std::set<uint64_t> repeated() const {
    const std::lock_guard lock(mutex_);
    return repeated_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<uint64_t, int> times_;
  std::set<uint64_t> repeated_;
};

}  // namespace examples

#endif  // GRID_TOOLS_EXAMPLES_ACTORS_JOURNAL_H_
