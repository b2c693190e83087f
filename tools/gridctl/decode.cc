// gridctl decode: explains a message.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "tools/common/explain_message.h"
#include "tools/common/node_flags.h"
#include "tools/gridctl/command.h"
#include "tools/gridctl/output.h"

namespace grid::tools {
namespace {

constexpr size_t kMaxInput = size_t{128} << 20;

int RunDecode(const std::string& argument, bool as_json) {
  std::string hex = argument;
  if (argument.empty() || argument == "-") {
    absl::StatusOr<std::string> input = ReadFile("/dev/stdin", kMaxInput);
    if (!input.ok()) return Fail(absl::UnavailableError(input.status().message()));
    hex = *std::move(input);
  }
  // What is wrong with the message is no bad argument: the message is what was asked about.
  const absl::StatusOr<std::string> bytes = ParseHex(hex);
  if (!bytes.ok()) return Fail(absl::DataLossError(bytes.status().message()));
  const absl::StatusOr<boost::json::object> explained = ExplainMessage(AsBytes(*bytes));
  if (!explained.ok()) return Fail(absl::DataLossError(explained.status().message()));
  const std::string text = FormatExplanation(*explained);
  if (!(as_json ? PrintJson(*explained) : Print(AsBytes(text)))) {
    return Fail(absl::UnavailableError("can't write to standard output"));
  }
  if (HasBadChecksum(*explained)) return Fail(absl::DataLossError("CRC: does not match"));
  return 0;
}

}  // namespace

void AddDecode(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand(
      "decode", "explain one grid message: fields, flags, inner messages, checksum");
  struct Flags {
    std::string hex;
    bool json = false;
  };
  auto flags = std::make_shared<Flags>();
  command->add_option("HEX", flags->hex, "the message in hex digits; - or nothing: standard input");
  command->add_flag("--json", flags->json, "as JSON");
  command->callback([=] { *chosen = [flags] { return RunDecode(flags->hex, flags->json); }; });
}

}  // namespace grid::tools
