// MakeJwtAuthenticator: tokens that expire: JSON Web Tokens (RFC 7519), signed with a secret that
// the nodes share.
//
//   auto tokens = MakeJwtAuthenticator({.secret_file = "/etc/grid/jwt", .audience = "storage"});
//   if (!tokens.ok()) return tokens.status();
//   options.authenticator = *tokens;
//
// A token says who shows it (sub: its name in the mesh), to whom it is addressed (aud), and from
// when until when it holds (iat, exp). It is made once and shown until half of its life is over.
//
// Clocks of the nodes may differ by `leeway`. The manager itself refuses a Connect whose clock is
// off by more than Timeouts::clock_skew.
#ifndef GRID_GRID_JWT_AUTHENTICATOR_H_
#define GRID_GRID_JWT_AUTHENTICATOR_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grid/authenticator.h"

namespace grid {

enum class JwtAlgorithm { kHs256, kHs512 };

struct JwtOptions {
  // Tokens signed in another way are refused, whatever their header says.
  JwtAlgorithm algorithm = JwtAlgorithm::kHs512;

  // The first signs, each is accepted: two while a new one is rolled out. Either these or a file
  // with one on each line, which is read anew when it changes (TokenFileOptions). Should be random
  // and as long as the algorithm's digest: 32 or 64 bytes.
  std::vector<std::string> secrets = {};
  std::string secret_file = {};

  // Put into our tokens and demanded of others'; empty: neither.
  std::string audience = {};
  // How long our tokens hold; at least a second. What others say counts for theirs.
  std::chrono::seconds lifetime{15 * 60};
  // How long after its end, and before its beginning (nbf, iat), a token is still accepted.
  std::chrono::seconds leeway{60};
  // Demands, when Connect tells who connects, that the token's subject is that host.
  bool check_subject = true;
  // Of our tokens; empty: the manager's own name.
  std::string subject = {};

  std::shared_ptr<Clock> clock = nullptr;  // null: the real one
  std::shared_ptr<LogSink> log = nullptr;  // for a secret file that can't be read; null: none
};

// Errors name the option or the file that is wrong. Those of CheckToken name the claim.
absl::StatusOr<std::shared_ptr<Authenticator>> MakeJwtAuthenticator(JwtOptions options);

}  // namespace grid

#endif  // GRID_GRID_JWT_AUTHENTICATOR_H_
