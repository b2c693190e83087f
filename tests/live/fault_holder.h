// What a fault_host holds a name with: an actor that writes to the test's store as long as it
// believes to hold it.
#ifndef GRID_TESTS_LIVE_FAULT_HOLDER_H_
#define GRID_TESTS_LIVE_FAULT_HOLDER_H_

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>

#include "grid/actor/actor.h"
#include "grid/testing/random.h"
#include "tests/live/fault_protocol.h"

namespace grid::live {

// Exit statuses.
inline constexpr int kBadSetup = 2, kNoStore = 3, kWrongAnswer = 4;

inline constexpr MessageType<int64_t, uint64_t> kPoke{"fault.poke"};  // the epoch it has come to

[[noreturn]] inline void Die(int status, const std::string& why) {
  std::fprintf(stderr, "fault_host: %s\n", why.c_str());
  std::fflush(stderr);
  _exit(status);
}

inline int64_t Nanos(TimePoint time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

// The way to the store. Any thread.
class StoreClient {
 public:
  explicit StoreClient(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      Die(kNoStore, "the store is not there");
    }
  }
  ~StoreClient() { close(fd_); }
  StoreClient(const StoreClient&) = delete;
  StoreClient& operator=(const StoreClient&) = delete;

  bool Ask(const StoreRequest& request) {
    const std::lock_guard lock(mutex_);
    StoreAnswer answer;
    if (send(fd_, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request) ||
        recv(fd_, &answer, sizeof(answer), 0) != sizeof(answer)) {
      Die(kNoStore, "the store has gone");
    }
    return answer.accepted;
  }

 private:
  const int fd_;
  std::mutex mutex_;
};

// Holds one name, and writes.
class Holder final : public Actor {
 public:
  Holder(StoreClient& store, uint32_t slot, std::chrono::milliseconds pause)
      : store_(store), slot_(slot), pause_(pause), random_(Nanos(RealClock()->Now())) {
    On(kPoke, [this](int64_t, ActorContext& context) -> absl::StatusOr<uint64_t> {
      if (!Write(context)) return absl::FailedPreconditionError("the name is lost");
      return context.epoch();
    });
  }

  asio::awaitable<absl::Status> OnStart(ActorContext& context) override {
    epoch_ = context.epoch();
    if (!Write(context)) co_return absl::FailedPreconditionError("lost before it began");
    auto timer = context.AfterEach(pause_, [this](ActorContext& at) { Write(at); });
    co_return timer.status();
  }
  void OnStop(const absl::Status& why) override {
    store_.Ask({.what = why.ok() ? StoreRequest::kEnd : StoreRequest::kLost,
                .name = slot_,
                .epoch = epoch_});
  }

 private:
  // What every user does: looks at the token, then does it. That the process may be suspended
  // between the two is what the epoch is for; here it sometimes takes its time.
  bool Write(ActorContext& context) {
    const TimePoint checked = RealClock()->Now();
    const LeaseToken& lease = context.lease();
    const bool valid = lease.valid();
    const TimePoint until = lease.until();
    if (valid && random_.OneIn(8)) usleep(5000);
    if (valid && store_.Ask({.what = StoreRequest::kWrite,
                             .name = slot_,
                             .epoch = context.epoch(),
                             .checked = Nanos(checked),
                             .until = Nanos(until)})) {
      return true;
    }
    context.Stop();
    return false;
  }

  StoreClient& store_;
  const uint32_t slot_;
  const std::chrono::milliseconds pause_;
  testing::Random random_;
  uint64_t epoch_ = 0;
};

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_FAULT_HOLDER_H_
