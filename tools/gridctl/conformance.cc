// gridctl conformance: the battery against the remote.
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tools/battery/battery.h"
#include "tools/gridctl/client.h"
#include "tools/gridctl/command.h"

namespace grid::tools {
namespace {

constexpr std::chrono::seconds kConnectTimeout{10};
constexpr std::chrono::seconds kCaseTimeout{60};

struct ConformanceFlags {
  ClientFlags client;
  std::string only;
  std::string restart;
  std::string json_file;
};

const char* Name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPass:
      return "PASS";
    case Outcome::kFail:
      return "FAIL";
    case Outcome::kSkip:
      return "SKIP";
  }
  return "FAIL";
}

void PrintResult(const CaseResult& result) {
  const char* colon = result.why.empty() ? "" : ": ";
  std::printf("%s %s%s%s\n", Name(result.outcome), result.name.c_str(), colon, result.why.c_str());
  std::fflush(stdout);
}

absl::Status WriteJson(const std::string& path, const BatterySummary& summary) {
  boost::json::array cases;
  for (const CaseResult& result : summary.results) {
    boost::json::object entry;
    entry["name"] = result.name;
    entry["result"] = Name(result.outcome);
    entry["why"] = result.why;
    entry["ms"] = result.took.count();
    cases.push_back(std::move(entry));
  }
  boost::json::object out;
  out["passed"] = summary.passed;
  out["total"] = summary.total();
  out["skipped"] = summary.skipped;
  out["cases"] = std::move(cases);
  std::ofstream file(path);
  file << boost::json::serialize(out) << "\n";
  file.close();
  return file ? absl::OkStatus()
              : absl::UnavailableError(absl::StrCat("--json: can't write ", path));
}

int RunConformance(const ConformanceFlags& flags) {
  // Outlives the client: a case that was given up may complete when its connection goes.
  boost::asio::io_context io(1);
  auto client =
      Client::Connect(flags.client, DurationOr(flags.client.timeout_text, kConnectTimeout));
  if (!client.ok()) return Fail(client.status());
  const BatteryOptions options{.peer = (*client)->peer(),
                               .only = flags.only,
                               .case_timeout = DurationOr(flags.client.timeout_text, kCaseTimeout),
                               .restart_command = flags.restart};
  const BatterySummary summary = RunBattery(io, options, PrintResult);
  std::printf("%d of %d\n", summary.passed, summary.total());
  std::fflush(stdout);
  if (!flags.json_file.empty()) {
    if (absl::Status status = WriteJson(flags.json_file, summary); !status.ok())
      return Fail(status);
  }
  if (summary.results.empty()) {
    return Fail(
        absl::NotFoundError(absl::StrCat("--only: no case has \"", flags.only, "\" in its name")));
  }
  return summary.failed == 0 ? 0 : 1;
}

}  // namespace

void AddConformance(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand(
      "conformance", "the battery against a node that hosts the conformance service");
  command->footer(
      "--timeout is the limit for connecting and for each case (60s unless given). With\n"
      "--member who dials follows from the two names: choose --local for one direction or the "
      "other.");
  auto flags = std::make_shared<ConformanceFlags>();
  AddClientFlags(*command, &flags->client);
  command->add_option("--only", flags->only, "only cases with this text in their name");
  command->add_option(
      "--restart", flags->restart,
      "shell command that kills and restarts the remote, for the cases that need it");
  command->add_option("--json", flags->json_file, "file for the results as JSON");
  command->callback([=] { *chosen = [flags] { return RunConformance(*flags); }; });
}

}  // namespace grid::tools
