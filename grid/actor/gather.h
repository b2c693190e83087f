// Gathering: the results of one message to several targets, each as it comes. GatherResults: all of
// them, by target.
//
//   Gathering<int64_t> sums = workers.Gather(kSum, numbers);
//   for (;;) {
//     absl::StatusOr<std::optional<TargetResult<int64_t>>> next = co_await sums.Next();
//     if (!next.ok() || !next->has_value()) break;
//     ... (*next)->target, (*next)->value
//   }
//
//   GatherResults<Done> done;
//   for (int round = 0; round < 3 && (round == 0 || !done.failed().empty()); ++round) {
//     Recipients rest = system.To(Selector::Under(*path).Except(done.succeeded()), Routing::All());
//     done.Merge(co_await rest.GatherAll(kStore, item));
//   }
#ifndef GRID_GRID_ACTOR_GATHER_H_
#define GRID_GRID_ACTOR_GATHER_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/outgoing.h"
#include "grid/actor/target.h"
#include "grid/directory/name.h"
#include "handlers/delivery.h"
#include "handlers/typed.h"
#include "serialization/codec.h"

namespace grid {

namespace asio = boost::asio;

template <typename Resp>
struct TargetResult {
  Target target;
  absl::StatusOr<Resp> value;  // an error carries its delivery class
};

namespace internal {

// An answer's bytes as a value. What can't be decoded is kInvalidArgument, executed.
template <typename Resp>
absl::StatusOr<Resp> DecodeAnswer(const absl::StatusOr<Buffer>& answer, const Target& from,
                                  const DecodeLimits& limits) {
  if (!answer.ok()) return answer.status();
  absl::StatusOr<Resp> value{absl::in_place};
  const absl::Status decoded = Decode(answer->view(), *value, limits);
  if (!decoded.ok()) value = UndecodableError(decoded, from);
  return value;
}

}  // namespace internal

// All results of a GatherAll. A value.
template <typename Resp>
class GatherResults {
 public:
  using Map = std::map<Target, absl::StatusOr<Resp>>;

  GatherResults() = default;
  GatherResults(internal::RawResults raw, const DecodeLimits& limits)
      : status_(std::move(raw.status)), cancelled_(raw.cancelled) {
    for (internal::RawResult& result : raw.results) {
      absl::StatusOr<Resp> value =
          internal::DecodeAnswer<Resp>(result.answer, result.target, limits);
      results_.insert_or_assign(std::move(result.target), std::move(value));
    }
  }

  // OK; or why nobody was asked; or kCancelled.
  const absl::Status& status() const { return status_; }

  // Each target that was asked, with what it has answered, or why it has not.
  const Map& results() const { return results_; }
  auto begin() const { return results_.begin(); }
  auto end() const { return results_.end(); }
  bool empty() const { return results_.empty(); }
  size_t size() const { return results_.size(); }
  // How many targets were given up because others were enough (Routing::First). They have no result
  // here, as nobody knows whether it would have been a failure; each may have been executed.
  size_t cancelled() const { return cancelled_; }

  // The names all of whose targets have succeeded: for Selector::Except.
  std::vector<Name> succeeded() const { return NamesWhere(true); }
  // The others.
  std::vector<Name> failed() const { return NamesWhere(false); }

  // Adds what was asked later, the status included. What has succeeded once stays so. Of a name
  // that was asked again, failures of targets that do not hold it any more are dropped.
  void Merge(GatherResults later) {
    std::set<Name> names;
    for (const auto& [target, value] : later.results_) names.insert(target.name);
    for (auto at = results_.begin(); at != results_.end();) {
      const bool superseded = !at->second.ok() && names.contains(at->first.name);
      at = superseded ? results_.erase(at) : std::next(at);
    }
    // Keeps what is there, which by now has either succeeded or was not asked again.
    results_.merge(later.results_);
    status_ = std::move(later.status_);
    cancelled_ += later.cancelled_;
  }

  // What `function(T, const Target&, const Resp&)` makes of `init` and all that has succeeded, one
  // after the other.
  template <typename T, typename Function>
  T Fold(T init, Function function) const {
    for (const auto& [target, value] : results_) {
      if (value.ok()) init = function(std::move(init), target, *value);
    }
    return init;
  }

 private:
  std::vector<Name> NamesWhere(bool succeeded) const {
    std::map<Name, bool> names;
    for (const auto& [target, value] : results_) {
      bool& all = names.try_emplace(target.name, true).first->second;
      all = all && value.ok();
    }
    std::vector<Name> chosen;
    for (const auto& [name, all] : names) {
      if (all == succeeded) chosen.push_back(name);
    }
    return chosen;
  }

  absl::Status status_;
  Map results_;
  size_t cancelled_ = 0;
};

// A Gather under way. Move-only; dropping it cancels what has no result yet. Any thread, one at a
// time.
template <typename Resp>
class Gathering {
 public:
  using Result = absl::StatusOr<std::optional<TargetResult<Resp>>>;

  Gathering(std::shared_ptr<internal::GatherOperation> operation, const DecodeLimits& limits)
      : operation_(std::move(operation)), limits_(limits) {}
  Gathering(Gathering&&) noexcept = default;
  Gathering& operator=(Gathering&& other) noexcept {
    Drop();
    operation_ = std::move(other.operation_);
    limits_ = other.limits_;
    return *this;
  }
  ~Gathering() { Drop(); }

  // Completes with the next result, in the order in which they come: one for each target, those
  // that wait at most ActorLimits::max_targets. With nothing once all were read, or enough have
  // succeeded (Routing::First; those that were given up have no result). With an error where nobody
  // was asked, again and again. One Next at a time (a second one fails with kFailedPrecondition).
  // Cancellation of any kind completes it with kCancelled and loses no result.
  template <typename Token = asio::use_awaitable_t<>>
  auto Next(Token&& token = Token()) {
    return asio::async_initiate<Token, void(Result)>(
        [](auto handler, std::shared_ptr<internal::GatherOperation> operation,
           DecodeLimits limits) {
          internal::StartNext(operation, internal::NextCompletion(internal::Converting(
                                             std::move(handler), Decoder{limits})));
        },
        token, operation_, limits_);
  }

 private:
  struct Decoder {
    DecodeLimits limits;

    Result operator()(absl::StatusOr<std::optional<internal::RawResult>> raw) const {
      if (!raw.ok()) return raw.status();
      if (!raw->has_value()) return std::optional<TargetResult<Resp>>();
      internal::RawResult& result = **raw;
      absl::StatusOr<Resp> value =
          internal::DecodeAnswer<Resp>(result.answer, result.target, limits);
      return std::optional<TargetResult<Resp>>(
          TargetResult<Resp>{.target = std::move(result.target), .value = std::move(value)});
    }
  };

  void Drop() {
    if (const auto dropped = std::move(operation_)) internal::DropGather(dropped);
  }

  std::shared_ptr<internal::GatherOperation> operation_;
  DecodeLimits limits_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_GATHER_H_
