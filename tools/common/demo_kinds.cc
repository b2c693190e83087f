#include "tools/common/demo_kinds.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "grid/actor/actor.h"
#include "tools/common/real_sleep.h"

namespace grid::tools {
namespace {

using Message = std::optional<AnyMessage>;
using Answer = absl::StatusOr<Message>;

constexpr int64_t kMaxSleepMs = 24 * 3600 * 1000;
constexpr char kFrom[] = "from";

Answer Number(int64_t number) { return Message(AnyMessage{.value = number}); }

// Nothing for what is no integer, or too great.
std::optional<int64_t> IntegerOf(const Message& message) {
  if (!message.has_value()) return std::nullopt;
  boost::json::error_code error;
  const auto number = message->value.to_number<int64_t>(error);
  if (error || message->value.is_double()) return std::nullopt;
  return number;
}

class Echo final : public Actor {
 public:
  Echo() {
    On(kDemoMessage, [](const Message& message, ActorContext&) -> Answer { return message; });
  }
};

class Counter final : public Actor {
 public:
  explicit Counter(int64_t from) : sum_(from) {
    On(kDemoMessage, [this](const Message& message, ActorContext&) -> Answer {
      const std::optional<int64_t> by = message.has_value() ? IntegerOf(message) : 1;
      if (!by.has_value()) return absl::InvalidArgumentError("a counter adds integers");
      int64_t sum = 0;
      if (__builtin_add_overflow(sum_, *by, &sum)) {
        return absl::OutOfRangeError("the sum does not fit into 64 bits");
      }
      return Number(sum_ = sum);
    });
  }

 private:
  int64_t sum_;
};

class Sleeper final : public Actor {
 public:
  Sleeper() {
    On(kDemoMessage, [](const Message& message, ActorContext&) -> asio::awaitable<Answer> {
      const std::optional<int64_t> time = IntegerOf(message);
      if (!time.has_value() || *time < 0 || *time > kMaxSleepMs) {
        co_return absl::InvalidArgumentError(
            absl::StrCat("a sleeper takes milliseconds, 0 to ", kMaxSleepMs));
      }
      co_await RealSleep(std::chrono::milliseconds(*time));
      co_return message;
    });
  }
};

class Crasher final : public Actor {
 public:
  Crasher() {
    On(kDemoMessage, [this](const Message& message, ActorContext&) -> Answer {
      if (message.has_value() && message->value == "crash") throw std::runtime_error("crash");
      return Number(++messages_);
    });
  }

 private:
  int64_t messages_ = 0;
};

template <typename T>
absl::StatusOr<std::unique_ptr<Actor>> MakeActor(const StartArguments&) {
  return std::make_unique<T>();
}

absl::StatusOr<std::unique_ptr<Actor>> MakeCounter(const StartArguments& start) {
  int64_t from = 0;
  const auto given = start.parameters.find(kFrom);
  if (given != start.parameters.end() && !absl::SimpleAtoi(given->second, &from)) {
    return absl::InvalidArgumentError(absl::StrCat("parameter from: no integer: ", given->second));
  }
  return std::make_unique<Counter>(from);
}

}  // namespace

absl::StatusOr<KindTable> DemoKinds(const std::string& realm) {
  const std::pair<const char*, Kind::Factory> kinds[] = {{"echo", MakeActor<Echo>},
                                                         {"counter", MakeCounter},
                                                         {"sleeper", MakeActor<Sleeper>},
                                                         {"crasher", MakeActor<Crasher>}};
  KindTable table;
  for (const auto& [name, factory] : kinds) {
    absl::StatusOr<Path> path = Path::Parse(absl::StrCat(realm, "/", name));
    if (!path.ok() || path->size() != 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("realm ", realm, ": not one segment of a name"));
    }
    const absl::Status added = table.Add({.path = *std::move(path), .factory = factory});
    if (!added.ok()) return added;
  }
  return table;
}

}  // namespace grid::tools
