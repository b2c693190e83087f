// World: a directory and three members of it, over whichever backend; and what the tests of the
// contract (contract.h) ask of them, one step at a time.
#ifndef GRID_TESTS_DIRECTORY_WORLD_H_
#define GRID_TESTS_DIRECTORY_WORLD_H_

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "grid/directory/directory.h"
#include "grid/directory/directory_options.h"
#include "grid/testing/probe.h"

namespace grid {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A directory and three members of it. Time passes inside RunFor and RunUntil only.
class World {
 public:
  static constexpr int kMembers = 3;

  virtual ~World() = default;
  virtual Directory& At(int member) = 0;
  virtual std::string MemberName(int member) = 0;
  // The process dies without a word; Start begins another one under the same name.
  virtual void Kill(int member) = 0;
  virtual void Start(int member) = 0;
  // The member can't reach the directory, and can again.
  virtual void Cut(int member) = 0;
  virtual void Heal(int member) = 0;
  // Who keeps the directory dies without a word, and comes back.
  virtual void KillServer() = 0;
  virtual void StartServer() = 0;
  virtual bool RunUntil(absl::FunctionRef<bool()> predicate, Duration limit) = 0;
  virtual TimePoint Now() = 0;
  virtual milliseconds Lease() = 0;

  void RunFor(Duration duration) {
    RunUntil([] { return false; }, duration);
  }
};

struct WorldOptions {
  milliseconds lease{15'000};
  std::function<void(int member, DirectoryOptions&)> adjust = [](int, DirectoryOptions&) {};
};
using WorldFactory = std::unique_ptr<World> (*)(WorldOptions);

class DirectoryContract : public ::testing::TestWithParam<WorldFactory> {
 protected:
  using Held = absl::StatusOr<Registration>;

  void Make(WorldOptions options = {}) {
    world_ = GetParam()(std::move(options));
    for (int member = 0; member < World::kMembers; ++member) Ready(member);
  }
  void Ready(int member) {
    testing::Probe<absl::Status> ready("WaitReady");
    At(member).WaitReady(seconds(60), ready.Handler());
    ASSERT_TRUE(world().RunUntil([&] { return ready.done(); }, seconds(90)));
    ASSERT_TRUE(ready.value().ok()) << member << ": " << ready.value();
  }
  World& world() { return *world_; }
  Directory& At(int member) { return world_->At(member); }
  Duration lease() const { return world_->Lease(); }

  static Name N(std::string_view text) { return *Name::Parse(text); }
  static Selector Under(std::string_view path) { return Selector::Under(*Path::Parse(path)); }
  static Selector Only(std::string_view name) { return Selector::Of({N(name)}); }

  Held Register(int member, std::string_view name, Holding holding = Holding::kExclusive,
                Attributes attributes = {}, milliseconds timeout = milliseconds(0)) {
    testing::Probe<Held> held("Register");
    At(member).Register(N(name), holding, std::move(attributes), timeout, held.Handler());
    EXPECT_TRUE(world().RunUntil([&] { return held.done(); }, std::chrono::minutes(2)));
    return held.done() ? std::move(held.value()) : Held(absl::InternalError("never completed"));
  }
  // Exclusively, as soon as nobody else holds the name; the last refusal after `limit`.
  Held RegisterOnceFree(int member, std::string_view name, Duration limit) {
    const TimePoint end = world().Now() + limit;
    Held held = Register(member, name);
    while (HolderOf(held.status()).has_value() && world().Now() < end) {
      world().RunFor(lease() / 100);
      held = Register(member, name);
    }
    return held;
  }
  absl::Status Release(Registration& registration) {
    testing::Probe<absl::Status> released("Release");
    registration.Release(released.Handler());
    EXPECT_TRUE(world().RunUntil([&] { return released.done(); }, std::chrono::minutes(2)));
    return released.done() ? released.value() : absl::InternalError("never completed");
  }
  absl::Status Update(Registration& registration, Attributes attributes) {
    testing::Probe<absl::Status> updated("Update");
    registration.Update(std::move(attributes), milliseconds(0), updated.Handler());
    EXPECT_TRUE(world().RunUntil([&] { return updated.done(); }, std::chrono::minutes(2)));
    return updated.done() ? updated.value() : absl::InternalError("never completed");
  }
  absl::StatusOr<Resolution> Resolve(int member, Selector selector,
                                     milliseconds timeout = milliseconds(0)) {
    testing::Probe<absl::StatusOr<Resolution>> found("Resolve");
    At(member).Resolve(std::move(selector), timeout, found.Handler());
    EXPECT_TRUE(world().RunUntil([&] { return found.done(); }, std::chrono::minutes(2)));
    return found.done() ? std::move(found.value()) : absl::InternalError("never completed");
  }
  // "a/b/c a/b/d", or the error.
  std::string Names(int member, Selector selector) {
    const absl::StatusOr<Resolution> found = Resolve(member, std::move(selector));
    return found.ok() ? Text(found->entries) : found.status().ToString();
  }
  absl::StatusOr<uint64_t> Flush(int member, milliseconds timeout = milliseconds(0)) {
    testing::Probe<absl::StatusOr<uint64_t>> flushed("Flush");
    At(member).Flush(timeout, flushed.Handler());
    EXPECT_TRUE(world().RunUntil([&] { return flushed.done(); }, std::chrono::minutes(2)));
    return flushed.done() ? flushed.value() : absl::InternalError("never completed");
  }
  static std::string Text(const std::vector<Entry>& entries) {
    std::string text;
    for (const Entry& entry : entries) text += (text.empty() ? "" : " ") + entry.name.text();
    return text;
  }
  absl::StatusOr<WatchEvent> Next(Watcher& watcher, Duration limit = std::chrono::minutes(1)) {
    // Shared with the completion, which comes late when this gives up.
    const auto event = std::make_shared<std::optional<absl::StatusOr<WatchEvent>>>();
    watcher.Next([event](absl::StatusOr<WatchEvent> next) { event->emplace(std::move(next)); });
    if (!world().RunUntil([&] { return event->has_value(); }, limit)) {
      return absl::InternalError("no event");
    }
    return std::move(**event);
  }
  // "snapshot a/b/c", "added a/b/d", ..., or the error.
  std::string NextText(Watcher& watcher) {
    static constexpr const char* kKinds[] = {"snapshot", "added", "changed", "removed",
                                             "resynchronised"};
    const absl::StatusOr<WatchEvent> event = Next(watcher);
    if (!event.ok()) return event.status().ToString();
    const std::string names = Text(event->entries);
    return kKinds[static_cast<int>(event->kind)] + (names.empty() ? names : " " + names);
  }
  Watcher Watch(int member, Selector selector) {
    absl::StatusOr<Watcher> watcher = At(member).Watch(std::move(selector));
    EXPECT_TRUE(watcher.ok()) << watcher.status();
    return watcher.ok() ? *std::move(watcher) : Watcher();
  }

  std::unique_ptr<World> world_;
};

}  // namespace grid

#endif  // GRID_TESTS_DIRECTORY_WORLD_H_
