// Client: gridctl's own node and its connection to the remote.
//
//   absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(flags);
//   absl::StatusOr<Buffer> reply = client->peer().Request(...);
//
// Used by the main thread; the node has threads of its own, which the destructor ends.
#ifndef GRID_TOOLS_GRIDCTL_CLIENT_H_
#define GRID_TOOLS_GRIDCTL_CLIENT_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/manager.h"
#include "tools/common/duration_option.h"
#include "tools/common/node_flags.h"

namespace CLI {
class App;
}

namespace grid::tools {

// What every command that talks to a node takes.
struct ClientFlags {
  NodeFlags node;
  bool member = false;
  std::string remote;
  std::string timeout_text;  // as given; empty: the command's own default
  bool verbose = false;
};

// Adds --local, --member, --remote and the others to a command. `flags` must outlive the parsing.
void AddClientFlags(CLI::App& command, ClientFlags* flags);

// What a command that calls one handler takes.
struct HandlerFlags {
  int id = 0;
  std::string subroute;  // empty: none
  bool compress = false;
  std::string traceparent;            // empty: none
  std::vector<std::string> metadata;  // "key=value"
};

// Adds HANDLER (required), --subroute, --compress, --traceparent and --metadata to a command.
// `flags` must outlive the parsing.
void AddHandlerFlags(CLI::App& command, HandlerFlags* flags);

// What these say besides the handler. kInvalidArgument names the flag that is wrong.
struct HandlerMeta {
  TraceContext trace;
  Metadata metadata;
};
absl::StatusOr<HandlerMeta> MakeHandlerMeta(const HandlerFlags& flags);

class Client {
 public:
  // Starts the node, as a client of the remote, or with `member` as a member, which listens when
  // the rule says that the remote dials. Waits for the connection at most `wait`. kInvalidArgument:
  // the flags are wrong; otherwise the reason why there is no connection. `io_contexts` replaces
  // the node's own I/O threads (ManagerOptions); they must outlive the Client.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(
      const ClientFlags& flags, std::chrono::milliseconds wait,
      std::vector<boost::asio::io_context*> io_contexts = {});

  // The same in two steps, for what has to be there before the node starts. With `mesh` it gets
  // further peers later: a member always listens, as any of them may dial, and --remote, which
  // alone is waited for, may be missing. Make fails with kInvalidArgument only.
  static absl::StatusOr<std::unique_ptr<Client>> Make(
      const ClientFlags& flags, bool mesh, std::vector<boost::asio::io_context*> io_contexts = {});
  absl::Status Start(std::chrono::milliseconds wait);

  Manager& manager() { return *manager_; }
  // Not where there is no --remote.
  grid::Connection& peer() { return *peer_; }
  // Of what a command sends, with or without --compress.
  Compression compression(const HandlerFlags& flags) const {
    return flags.compress ? compression_ : Compression();
  }

 private:
  Client() = default;

  std::unique_ptr<Manager> manager_;
  std::string listen_;                    // empty: it does not
  std::optional<grid::Connection> peer_;  // the remote
  Compression compression_;
};

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDCTL_CLIENT_H_
