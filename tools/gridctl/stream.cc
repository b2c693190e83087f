// gridctl stream: lines from standard input in, messages out.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <thread>

#include "handlers/requester.h"
#include "tools/gridctl/client.h"
#include "tools/gridctl/command.h"
#include "tools/gridctl/line_reader.h"
#include "tools/gridctl/output.h"

namespace grid::tools {
namespace {

constexpr std::chrono::seconds kConnectTimeout{10};
// How long to look whether standard input is empty before the stream is opened as one with input.
constexpr std::chrono::milliseconds kPeek{500};

struct StreamFlags {
  ClientFlags client;
  HandlerFlags handler;
  std::string payload;
  bool has_payload = false;
  uint32_t capacity = 1;
  bool no_input = false;
  bool json = false;
};

absl::StatusOr<Stream> Open(Client& client, const StreamFlags& flags, const HandlerMeta& meta,
                            bool has_input) {
  const StreamOptions options{.has_input = has_input,
                              .in_capacity = flags.capacity,
                              .out_capacity = flags.capacity,
                              .timeout = DurationOr(flags.client.timeout_text, {}),
                              .compression = client.compression(flags.handler),
                              .trace = meta.trace,
                              .metadata = meta.metadata};
  const BytesView initial = flags.has_payload ? AsBytes(flags.payload) : BytesView();
  const HandlerId handler{flags.handler.id};
  if (flags.handler.subroute.empty()) return client.peer().OpenStream(handler, initial, options);
  return client.peer().Subroute(flags.handler.subroute).OpenStream(handler, initial, options);
}

// A failed write needs no word of its own: the stream's end says why.
void WriteLines(LineReader& lines, Stream& stream) {
  std::string line;
  while (lines.Next(&line)) {
    if (!stream.WriteBlocking(AsBytes(std::string_view(line))).ok()) return;
  }
  stream.CloseSend();
}

absl::Status PrintMessages(Stream& stream, bool json) {
  for (;;) {
    const ReadResult message = stream.ReadBlocking();
    if (!message.ok()) return message.status();
    if (!message->has_value()) return absl::OkStatus();
    const BytesView payload = (*message)->view();
    const bool printed =
        json ? PrintJson(PayloadToJson(payload)) : Print(payload) && Print(AsBytes("\n"));
    if (!printed) {
      stream.Cancel();
      return absl::UnavailableError("can't write to standard output");
    }
  }
}

int RunStream(const StreamFlags& flags) {
  const absl::StatusOr<HandlerMeta> meta = MakeHandlerMeta(flags.handler);
  if (!meta.ok()) return Fail(meta.status());
  LineReader lines(STDIN_FILENO);
  const bool has_input = !flags.no_input && (isatty(STDIN_FILENO) != 0 || lines.HasInput(kPeek));
  auto client =
      Client::Connect(flags.client, DurationOr(flags.client.timeout_text, kConnectTimeout));
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<Stream> stream = Open(**client, flags, *meta, has_input);
  if (!stream.ok()) return FailCall(stream.status());
  std::thread writer;
  if (has_input) writer = std::thread([&] { WriteLines(lines, *stream); });
  const absl::Status ended = PrintMessages(*stream, flags.json);
  lines.Stop();
  if (writer.joinable()) writer.join();
  if (ended.ok()) return 0;
  if (flags.json) PrintJson(ErrorToJson(ended));
  return FailCall(ended);
}

}  // namespace

void AddStream(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand(
      "stream", "one stream: lines from standard input in, messages out, one per line");
  command->footer(
      "The stream is opened without input when standard input is at its end at once, or with\n"
      "--no-input; otherwise every line is a message, and the end of the input closes our side.");
  auto flags = std::make_shared<StreamFlags>();
  AddClientFlags(*command, &flags->client);
  AddHandlerFlags(*command, &flags->handler);
  CLI::Option* payload =
      command->add_option("--payload", flags->payload, "payload that opens the stream; none: nil");
  command
      ->add_option("--capacity", flags->capacity,
                   "capacity of the handler's registration, both ways")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_flag("--no-input", flags->no_input, "leave standard input alone");
  command->add_flag("--json", flags->json,
                    "each message as a JSON object: nil, size, payload_hex, text");
  command->callback([=] {
    flags->has_payload = payload->count() > 0;
    *chosen = [flags] { return RunStream(*flags); };
  });
}

}  // namespace grid::tools
