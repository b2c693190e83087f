#include "tools/battery/battery.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "tools/battery/battery_case.h"

namespace grid::tools {
namespace {

using battery::Case;
using battery::EnvPtr;
using std::chrono::milliseconds;
namespace asio = boost::asio;

// What a case that was given up gets to clean up after itself.
constexpr std::chrono::seconds kGrace{3};

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  battery::AddSingleCases(&cases);
  battery::AddStreamCases(&cases);
  battery::AddLoadCases(&cases);
  battery::AddRestartCases(&cases);
  return cases;
}

// Runs `io` until `done` or the end of `limit`.
void RunUntil(asio::io_context& io, const std::optional<absl::Status>& done, milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  io.restart();
  while (!done.has_value() && std::chrono::steady_clock::now() < end) {
    if (io.stopped()) io.restart();
    io.run_one_until(end);
  }
}

// The body as a coroutine that owns a copy of it: a lambda's captures must outlive its coroutine.
asio::awaitable<absl::Status> RunBody(battery::CaseBody body, EnvPtr env) {
  const absl::Status status = co_await body(std::move(env));
  co_return status;
}

absl::Status RunCase(asio::io_context& io, const Case& test, const EnvPtr& env) {
  auto done = std::make_shared<std::optional<absl::Status>>();
  auto give_up = std::make_shared<asio::cancellation_signal>();
  asio::co_spawn(
      io, RunBody(test.body, env),
      asio::bind_cancellation_slot(
          give_up->slot(), [done, give_up](std::exception_ptr error, absl::Status status) {
            *done = std::move(status);
            if (error == nullptr) return;
            try {
              std::rethrow_exception(error);
            } catch (const std::exception& e) {
              *done = battery::Failed(absl::StrCat("exception: ", e.what()));
            }
          }));
  const milliseconds limit = env->options.case_timeout;
  RunUntil(io, *done, limit);
  if (done->has_value()) return **done;
  give_up->emit(asio::cancellation_type::terminal);
  RunUntil(io, *done, kGrace);
  return battery::Failed(absl::StrCat("did not end within ", limit.count(), " ms"));
}

CaseResult Judge(const Case& test, const absl::Status& status) {
  CaseResult result{.name = test.name, .outcome = Outcome::kFail, .why = ""};
  if (status.ok()) {
    result.outcome = Outcome::kPass;
    return result;
  }
  if (battery::IsSkip(status)) result.outcome = Outcome::kSkip;
  result.why = std::string(status.message());
  return result;
}

}  // namespace

BatterySummary RunBattery(asio::io_context& io, const BatteryOptions& options,
                          const std::function<void(const CaseResult&)>& report) {
  auto env = std::make_shared<battery::Env>();
  env->options = options;
  BatterySummary summary;
  for (const Case& test : AllCases()) {
    if (test.name.find(options.only) == std::string::npos) continue;
    const auto begin = std::chrono::steady_clock::now();
    CaseResult result = Judge(test, RunCase(io, test, env));
    result.took =
        std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    summary.passed += result.outcome == Outcome::kPass ? 1 : 0;
    summary.failed += result.outcome == Outcome::kFail ? 1 : 0;
    summary.skipped += result.outcome == Outcome::kSkip ? 1 : 0;
    report(result);
    summary.results.push_back(std::move(result));
  }
  return summary;
}

std::vector<std::string> BatteryCaseNames() {
  std::vector<std::string> names;
  for (const Case& test : AllCases()) names.push_back(test.name);
  return names;
}

}  // namespace grid::tools
