// gridctl send, ask and gather: messages to actors.
#include <CLI/CLI.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/actor/gather.h"
#include "grid/actor/recipients.h"
#include "tools/common/command_line.h"
#include "tools/common/demo_kinds.h"
#include "tools/gridctl/command.h"
#include "tools/gridctl/mesh_client.h"
#include "tools/gridctl/output.h"

namespace grid::tools {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

struct MessageFlags {
  DirectoryClientFlags client;
  std::string path;
  std::string message;
  std::string type = kDemoMessageName;
  std::string key;
  std::string routing;
  uint32_t first = 0;  // 0: not said
  std::string acknowledge = "processed";
  bool json = false;
};

using Answered = std::optional<AnyMessage>;

// Whom a command means, and how: what its flags say, checked.
struct Addressed {
  Selector selector;
  Routing routing;
  CallPolicy policy = {};
};

absl::StatusOr<Addressed> AddressOf(const MessageFlags& flags, Routing otherwise) {
  absl::StatusOr<Path> path = Path::Parse(flags.path);
  if (!path.ok()) return path.status();
  Addressed to{.selector = Selector::Under(*std::move(path)), .routing = std::move(otherwise)};
  if (!flags.key.empty()) to.routing = Routing::Hash(flags.key);
  if (flags.first > 0) to.routing = Routing::First(flags.first);
  if (!flags.routing.empty()) {
    absl::StatusOr<Routing> routing = Routing::Parse(flags.routing);
    if (!routing.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--routing: ", routing.status().message()));
    }
    to.routing = *std::move(routing);
  }
  for (const Acknowledgement level :
       {Acknowledgement::kAccepted, Acknowledgement::kDelivered, Acknowledgement::kProcessed}) {
    if (flags.acknowledge == AcknowledgementName(level)) to.policy.acknowledge = level;
  }
  if (flags.type.empty() || flags.type.size() > kMaxMessageTypeBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("--type: 1 to ", kMaxMessageTypeBytes, " bytes"));
  }
  return to;
}

// Runs `verb`(mesh, recipients, type, message), once whoever is meant is connected.
template <typename Verb>
int Run(const MessageFlags& flags, Routing otherwise, Verb verb) {
  absl::StatusOr<Addressed> to = AddressOf(flags, std::move(otherwise));
  if (!to.ok()) return Fail(to.status());
  auto mesh = MeshClient::Connect(flags.client);
  if (!mesh.ok()) return Fail(mesh.status());
  const absl::StatusOr<std::vector<Entry>> holders = (*mesh)->Resolve(to->selector);
  if (!holders.ok()) return Fail(holders.status());
  (*mesh)->ReachHolders(*holders);
  // Whoever is named is asked also while it drains.
  for (const Entry& holder : *holders) {
    if (holder.name.text() == flags.path) to->selector = Selector::Of({holder.name});
  }
  to->policy.deadline = (*mesh)->timeout();
  const Recipients recipients =
      (*mesh)->actors().To(std::move(to->selector), std::move(to->routing), to->policy);
  return verb(recipients, AnyMessageType(flags.type), AnyMessage::FromText(flags.message));
}

int CantWrite() { return Fail(absl::UnavailableError("can't write to standard output")); }

// Flags that don't fit together are found by the library only.
int FailVerb(const absl::Status& status, bool as_json) {
  if (as_json) PrintJson(ErrorToJson(status));
  const bool arguments =
      absl::IsInvalidArgument(status) && DeliveryOf(status) == Delivery::kNotSent;
  return arguments ? Fail(status) : FailCall(status);
}

json::object FromTarget(const Target& target) {
  return {{"from", target.name.text()}, {"member", target.member}, {"epoch", target.epoch}};
}

int RunSend(const MessageFlags& flags) {
  return Run(flags, Routing::Random(),
             [&](const Recipients& to, const AnyMessageType& type, const Answered& message) {
               const absl::Status sent = to.Send(type, message, asio::use_future).get();
               if (!sent.ok()) return FailVerb(sent, flags.json);
               const bool printed =
                   flags.json ? PrintJson(json::object{{"acknowledged", flags.acknowledge}})
                              : Print(AsBytes(flags.acknowledge + "\n"));
               return printed ? 0 : CantWrite();
             });
}

int RunAsk(const MessageFlags& flags) {
  return Run(flags, Routing::Random(),
             [&](const Recipients& to, const AnyMessageType& type, const Answered& message) {
               const absl::StatusOr<Answer<Answered>> answer =
                   to.Call(type, message, asio::use_future).get();
               if (!answer.ok()) return FailVerb(answer.status(), flags.json);
               const json::value value = ToJson(answer->value);
               if (flags.json) {
                 json::object out = FromTarget(answer->from);
                 out["answer"] = value;
                 return PrintJson(out) ? 0 : CantWrite();
               }
               const std::string line = json::serialize(value) + "\n";
               return Print(AsBytes(line)) ? 0 : CantWrite();
             });
}

bool PrintResult(const TargetResult<Answered>& result, bool as_json) {
  if (as_json) {
    json::object out = FromTarget(result.target);
    if (result.value.ok()) {
      out["answer"] = ToJson(*result.value);
    } else {
      for (auto& item : ErrorToJson(result.value.status())) out[item.key()] = item.value();
    }
    return PrintJson(out);
  }
  std::string line = absl::StrCat(result.target.ToString(), "  ");
  if (result.value.ok()) {
    line += json::serialize(ToJson(*result.value));
  } else {
    const absl::Status& status = result.value.status();
    absl::StrAppend(&line, "error: ", status.message(), " (",
                    std::string(DeliveryName(DeliveryOf(status))), ")");
  }
  return Print(AsBytes(line + "\n"));
}

int RunGather(const MessageFlags& flags) {
  return Run(flags, Routing::All(),
             [&](const Recipients& to, const AnyMessageType& type, const Answered& message) {
               Gathering<Answered> gathering = to.Gather(type, message);
               size_t asked = 0, answered = 0;
               for (;;) {
                 const Gathering<Answered>::Result next = gathering.Next(asio::use_future).get();
                 if (!next.ok()) return FailVerb(next.status(), flags.json);
                 if (!next->has_value()) break;
                 ++asked;
                 if ((*next)->value.ok()) ++answered;
                 if (!PrintResult(**next, flags.json)) return CantWrite();
               }
               PrintError("gridctl", asked == 0
                                         ? absl::StrCat("nobody is at ", flags.path)
                                         : absl::StrCat(answered, " of ", asked, " answered"));
               return answered > 0 ? 0 : kExitFailure;
             });
}

// What all three take.
CLI::App* AddMessage(CLI::App& app, const char* name, const char* help, MessageFlags* flags) {
  CLI::App* command = app.add_subcommand(name, help);
  AddDirectoryClientFlags(*command, &flags->client);
  command
      ->add_option("PATH", flags->path,
                   "an actor by its name; where nobody has it, all that are below")
      ->required();
  command
      ->add_option("MSG", flags->message,
                   "the message: JSON, or where it is none, the string itself; sent as MessagePack")
      ->required();
  command->add_option("--type", flags->type, "registered name of its type")->capture_default_str();
  command->add_option("--routing", flags->routing,
                      "who of them: one(random), one(round-robin), one(least-outstanding), "
                      "one(hash(KEY)), all, first(K), one-per-next-segment");
  return command;
}

void AddKey(CLI::App& command, MessageFlags* flags) {
  command.add_option("--key", flags->key, "one of them, for a key always the same: one(hash(KEY))")
      ->excludes("--routing");
}

void AddFirst(CLI::App& command, MessageFlags* flags) {
  command.add_option("--first", flags->first, "all of them, until K have answered: first(K)")
      ->check(CLI::Range(uint32_t{1}, Routing::kMaxCount))
      ->excludes("--routing");
}

}  // namespace

void AddSend(CLI::App& app, Command* chosen) {
  auto flags = std::make_shared<MessageFlags>();
  CLI::App* command =
      AddMessage(app, "send", "a message to actors, without an answer", flags.get());
  command->footer("To one of them by chance, unless --routing, --key or --first say otherwise.");
  AddKey(*command, flags.get());
  AddFirst(*command, flags.get());
  command->get_option("--first")->excludes("--key");
  command
      ->add_option("--ack", flags->acknowledge, "when it is done: accepted, delivered, processed")
      ->check(CLI::IsMember({"accepted", "delivered", "processed"}))
      ->capture_default_str();
  command->add_flag("--json", flags->json, "print a JSON object: acknowledged");
  command->callback([=] { *chosen = [flags] { return RunSend(*flags); }; });
}

void AddAsk(CLI::App& app, Command* chosen) {
  auto flags = std::make_shared<MessageFlags>();
  CLI::App* command =
      AddMessage(app, "ask", "a message to one actor; its answer as JSON", flags.get());
  command->footer("To one of them by chance, unless --routing or --key say otherwise.");
  AddKey(*command, flags.get());
  command->add_flag("--json", flags->json,
                    "print a JSON object: from, member, epoch, answer; of a failure error, code, "
                    "delivery");
  command->callback([=] { *chosen = [flags] { return RunAsk(*flags); }; });
}

void AddGather(CLI::App& app, Command* chosen) {
  auto flags = std::make_shared<MessageFlags>();
  CLI::App* command = AddMessage(
      app, "gather", "a message to all actors at a path; their answers as they come", flags.get());
  command->footer(
      "Each line has who answered, and the answer as JSON, or what went wrong. Fails where nobody\n"
      "has answered.");
  AddFirst(*command, flags.get());
  command->add_flag("--json", flags->json,
                    "each result as a JSON object: from, member, epoch, and answer, or error, "
                    "code, delivery");
  command->callback([=] { *chosen = [flags] { return RunGather(*flags); }; });
}

}  // namespace grid::tools
