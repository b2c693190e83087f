// gridctl call: one request.
#include <CLI/CLI.hpp>
#include <boost/asio/use_future.hpp>
#include <memory>
#include <string>

#include "handlers/requester.h"
#include "tools/gridctl/client.h"
#include "tools/gridctl/command.h"
#include "tools/gridctl/output.h"

namespace grid::tools {
namespace {

constexpr std::chrono::seconds kDefaultTimeout{10};
constexpr size_t kMaxPayload = size_t{1} << 30;

struct CallFlags {
  ClientFlags client;
  HandlerFlags handler;
  std::string payload;
  std::string payload_file;
  bool has_payload = false;
  bool raw = false;
  bool json = false;
};

absl::StatusOr<Buffer> Call(Client& client, const CallFlags& flags, const HandlerMeta& meta,
                            BytesView payload) {
  const RequestOptions options{.timeout = DurationOr(flags.client.timeout_text, kDefaultTimeout),
                               .compression = client.compression(flags.handler),
                               .trace = meta.trace,
                               .metadata = meta.metadata};
  const HandlerId handler{flags.handler.id};
  if (flags.handler.subroute.empty()) {
    return client.peer().Request(handler, payload, options, boost::asio::use_future).get();
  }
  Subroute subroute = client.peer().Subroute(flags.handler.subroute);
  return subroute.Request(handler, payload, options, boost::asio::use_future).get();
}

int PrintReply(const Buffer& reply, const CallFlags& flags) {
  bool printed = false;
  if (flags.json) {
    printed = PrintJson(PayloadToJson(reply));
  } else {
    printed = Print(reply);
    if (!flags.raw && reply.size() > 0) printed = Print(AsBytes("\n"));
  }
  return printed ? 0 : Fail(absl::UnavailableError("can't write to standard output"));
}

int RunCall(CallFlags flags) {
  const absl::StatusOr<HandlerMeta> meta = MakeHandlerMeta(flags.handler);
  if (!meta.ok()) return Fail(meta.status());
  if (!flags.payload_file.empty()) {
    const std::string& path = flags.payload_file == "-" ? "/dev/stdin" : flags.payload_file;
    absl::StatusOr<std::string> content = ReadFile(path, kMaxPayload);
    if (!content.ok()) return Fail(content.status());
    flags.payload = *std::move(content);
  }
  auto client =
      Client::Connect(flags.client, DurationOr(flags.client.timeout_text, kDefaultTimeout));
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<Buffer> reply =
      Call(**client, flags, *meta, flags.has_payload ? AsBytes(flags.payload) : BytesView());
  if (!reply.ok()) {
    if (flags.json) PrintJson(ErrorToJson(reply.status()));
    return FailCall(reply.status());
  }
  return PrintReply(*reply, flags);
}

}  // namespace

void AddCall(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand("call", "one request; the reply goes to standard output");
  auto flags = std::make_shared<CallFlags>();
  AddClientFlags(*command, &flags->client);
  AddHandlerFlags(*command, &flags->handler);
  CLI::Option* payload = command->add_option("--payload", flags->payload, "the payload; none: nil");
  CLI::Option* file =
      command
          ->add_option("--payload-file", flags->payload_file, "file with the payload; - is stdin")
          ->excludes(payload);
  CLI::Option* raw =
      command->add_flag("--raw", flags->raw, "the reply's bytes and no newline behind them");
  command->add_flag("--json", flags->json, "print a JSON object: nil, size, payload_hex, text")
      ->excludes(raw);
  command->callback([=] {
    flags->has_payload = payload->count() > 0 || file->count() > 0;
    *chosen = [flags] { return RunCall(*flags); };
  });
}

}  // namespace grid::tools
