// Authenticator: what token this node shows when it dials, and which tokens it accepts. The
// extension point behind ManagerOptions::token.
//
//   options.token = "secret";                                    // the short form of:
//   options.authenticator = MakeStaticAuthenticator({"secret"});
//
//   auto tokens = MakeFileAuthenticator({.file = "/etc/grid/token"});
//   if (!tokens.ok()) return tokens.status();
//   options.authenticator = *tokens;
//
// jwt_authenticator.h has one that makes and checks JSON Web Tokens. The manager shares the
// authenticator; several managers may share one.
#ifndef GRID_GRID_AUTHENTICATOR_H_
#define GRID_GRID_AUTHENTICATOR_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/base/clock.h"
#include "grid/base/log.h"

namespace grid {

// Called from any I/O thread, also from several at once. Must not block: who has to ask a server
// does so in the background and answers from what it knows.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // The token that `local` shows to `remote`, in the upgrade request and again in Connect; both are
  // names in the mesh. An error fails the attempt to dial, and is its reason. Control characters
  // in a token do, too.
  virtual absl::StatusOr<std::string> MakeToken(std::string_view local,
                                                std::string_view remote) = 0;

  // OK: the bearer may connect. `host` is who Connect says that it is; empty for the upgrade
  // request, which comes before and names nobody. A client (ManagerOptions::client) may take any
  // name that is no member's as far as we are concerned: which ones a token is good for is decided
  // here. A token that everybody shares is good for all of them, one of MakeJwtAuthenticator's for
  // its subject alone. The message of an error is for our own log, must not hold the token, and is
  // not sent: the peer learns that its token was refused.
  virtual absl::Status CheckToken(std::string_view token, std::string_view host) = 0;
};

// The first of `tokens` is shown, each of them accepted: two while a new one is rolled out. None,
// or an empty first one: nothing is shown, and everybody accepted.
std::shared_ptr<Authenticator> MakeStaticAuthenticator(std::vector<std::string> tokens);

// A file with one token on each line, used as above; white space around a token and empty lines are
// skipped. At most 64 KiB. A change of the file (of its inode, size or modification time) is
// noticed within a second of the clock's time when a token is next needed. While the new
// contents can't be used (no file, no token in it), the old ones stay in force and `log` gets a
// warning.
struct TokenFileOptions {
  std::string file;
  std::shared_ptr<Clock> clock = nullptr;  // null: the real one
  std::shared_ptr<LogSink> log = nullptr;  // null: none
};
// An error that names the file when it can't be used now.
absl::StatusOr<std::shared_ptr<Authenticator>> MakeFileAuthenticator(TokenFileOptions options);

}  // namespace grid

#endif  // GRID_GRID_AUTHENTICATOR_H_
