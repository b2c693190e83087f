#include "grid/authenticator.h"

#include <utility>

#include "grid/internal/secret_file.h"

namespace grid {
namespace {

// All are compared, so that the time does not tell which one it was.
absl::Status CheckAgainst(const std::vector<std::string>& tokens, std::string_view token) {
  bool known = false;
  for (const std::string& candidate : tokens) {
    if (internal::SameSecret(candidate, token)) known = true;
  }
  if (known) return absl::OkStatus();
  return absl::PermissionDeniedError(token.empty() ? "no token" : "another token than ours");
}

class StaticAuthenticator final : public Authenticator {
 public:
  explicit StaticAuthenticator(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}

  absl::StatusOr<std::string> MakeToken(std::string_view, std::string_view) override {
    return tokens_.empty() ? std::string() : tokens_[0];
  }
  absl::Status CheckToken(std::string_view token, std::string_view) override {
    if (tokens_.empty() || tokens_[0].empty()) return absl::OkStatus();
    return CheckAgainst(tokens_, token);
  }

 private:
  const std::vector<std::string> tokens_;
};

class FileAuthenticator final : public Authenticator {
 public:
  explicit FileAuthenticator(std::unique_ptr<internal::SecretFile> file) : file_(std::move(file)) {}

  absl::StatusOr<std::string> MakeToken(std::string_view, std::string_view) override {
    return file_->Lines()->front();
  }
  absl::Status CheckToken(std::string_view token, std::string_view) override {
    return CheckAgainst(*file_->Lines(), token);
  }

 private:
  const std::unique_ptr<internal::SecretFile> file_;
};

}  // namespace

std::shared_ptr<Authenticator> MakeStaticAuthenticator(std::vector<std::string> tokens) {
  return std::make_shared<StaticAuthenticator>(std::move(tokens));
}

absl::StatusOr<std::shared_ptr<Authenticator>> MakeFileAuthenticator(TokenFileOptions options) {
  auto file = internal::SecretFile::Open(std::move(options));
  if (!file.ok()) return file.status();
  return std::make_shared<FileAuthenticator>(*std::move(file));
}

}  // namespace grid
