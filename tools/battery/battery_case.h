// What the cases of the battery are written with. Internal to tools/battery.
#ifndef GRID_TOOLS_BATTERY_BATTERY_CASE_H_
#define GRID_TOOLS_BATTERY_BATTERY_CASE_H_

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/connection.h"
#include "handlers/delivery.h"
#include "handlers/stream.h"
#include "serialization/buffer.h"
#include "tools/battery/battery.h"

namespace grid::tools::battery {

namespace asio = boost::asio;
using std::chrono::milliseconds;

// What one run of the restart scenario found out; shared by the cases that judge it.
struct RestartFindings {
  absl::Status outstanding;  // everything outstanding ended with "disconnected", at once
  absl::Status while_down;   // a call while down failed at once
  absl::Status afterwards;   // calls worked again
};

// One battery's run: what cases get. Lives until its last case has ended.
struct Env {
  BatteryOptions options;
  std::optional<RestartFindings> restart;

  Connection& peer() { return options.peer; }
};
using EnvPtr = std::shared_ptr<Env>;

// OK: passed. IsSkip: the case does not apply. Anything else failed, the message says why.
using CaseBody = std::function<asio::awaitable<absl::Status>(EnvPtr env)>;

struct Case {
  std::string name;
  CaseBody body;
};

void AddSingleCases(std::vector<Case>* cases);
void AddStreamCases(std::vector<Case>* cases);
void AddLoadCases(std::vector<Case>* cases);
void AddRestartCases(std::vector<Case>* cases);

absl::Status Skip(std::string_view why);
bool IsSkip(const absl::Status& status);

// A failed expectation.
absl::Status Failed(std::string_view what);
// OK if `condition`, otherwise Failed(what).
absl::Status Expect(bool condition, std::string_view what);
// "expected N bytes, got M bytes" and the like; OK when the two are equal.
absl::Status ExpectEqual(BytesView got, BytesView expected);
// What came instead of the expected error, for messages.
std::string Describe(const absl::Status& status);

// `size` bytes that differ from those of another seed or offset.
std::string Pattern(size_t size, unsigned seed = 0);

// Suspends for that long, in real time.
asio::awaitable<void> Pause(milliseconds time);

// A request with the battery's usual time-out.
inline constexpr std::chrono::seconds kCallTimeout{20};
asio::awaitable<absl::StatusOr<Buffer>> Call(Requester& to, int handler, BytesView payload,
                                             milliseconds timeout = kCallTimeout);

// Runs them side by side; the first failure, or OK.
asio::awaitable<absl::Status> All(std::vector<asio::awaitable<absl::Status>> tasks);

// Reads to the end: the messages, or the stream's error.
struct Received {
  std::vector<std::string> messages;
  absl::Status end;  // OK: ended by the peer without error
};
asio::awaitable<Received> ReadAll(Stream& stream);

}  // namespace grid::tools::battery

#endif  // GRID_TOOLS_BATTERY_BATTERY_CASE_H_
