#include "tools/common/node_flags.h"

#include <CLI/CLI.hpp>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "grid/authenticator.h"
#include "grid/transport/url.h"
#include "serialization/zstd_codec.h"

namespace grid::tools {
namespace {

struct ExtensionSwitch {
  const char* name;
  void (*off)(ExtensionOptions& offered);
};
constexpr ExtensionSwitch kSwitches[] = {
    {"credits", [](ExtensionOptions& offered) { offered.credits = false; }},
    {"fragments", [](ExtensionOptions& offered) { offered.fragment_bytes = 0; }},
    {"zstd", [](ExtensionOptions& offered) { offered.zstd_level = 0; }},
    {"meta", [](ExtensionOptions& offered) { offered.meta = false; }},
    {"status", [](ExtensionOptions& offered) { offered.status = false; }},
    {"handlers16", [](ExtensionOptions& offered) { offered.handlers16 = false; }},
    {"goaway", [](ExtensionOptions& offered) { offered.goaway = false; }},
    {"client", [](ExtensionOptions& offered) { offered.client = false; }},
};
constexpr char kAll[] = "all";

// `names`: of the table, or kAll.
void SwitchOff(const std::vector<std::string>& names, ExtensionOptions* offered) {
  for (const std::string& name : names) {
    for (const ExtensionSwitch& one : kSwitches) {
      if (name == kAll || name == one.name) one.off(*offered);
    }
  }
}

absl::Status InFlag(const char* flag, const absl::Status& status) {
  return {status.code(), absl::StrCat(flag, ": ", status.message())};
}

}  // namespace

std::vector<std::string> ExtensionNames() {
  std::vector<std::string> names;
  for (const ExtensionSwitch& one : kSwitches) names.emplace_back(one.name);
  return names;
}

void AddNodeFlags(CLI::App& app, NodeFlags* flags) {
  app.add_option("--local", flags->local, "our own name; of a member http(s)://HOST:PORT");
  app.add_option("--route", flags->route, "path of the WebSocket")->capture_default_str();
  app.add_option("--token-file", flags->token_file,
                 "file with the token that peers share; read anew when it changes");
  app.add_option("--dictionary", flags->dictionaries,
                 "file with a dictionary for compression; may be given again and again");
  app.add_option("--tls-cert", flags->tls_cert,
                 "our certificate (PEM), to listen under an https name");
  app.add_option("--tls-key", flags->tls_key, "its private key (PEM)");
  app.add_option("--tls-ca", flags->tls_ca,
                 "authorities trusted to certify peers (PEM); otherwise the system's");
  std::vector<std::string> names = ExtensionNames();
  names.emplace_back(kAll);
  app.add_option("--without", flags->without,
                 "extensions of the protocol not to offer, with commas between, or all")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->check(CLI::IsMember(names));
}

absl::StatusOr<ManagerOptions> MakeManagerOptions(const NodeFlags& flags,
                                                  std::shared_ptr<LogSink> log) {
  ManagerOptions options;
  options.log = log;
  const auto url = ParseHostUrl(flags.local);
  if (!flags.client && !url.ok()) return InFlag("--local", url.status());
  options.local = flags.local;
  options.client = flags.client;
  if (flags.route.empty() || flags.route[0] != '/') {
    return absl::InvalidArgumentError("--route: must begin with /");
  }
  options.route = flags.route;
  if (!flags.token_file.empty()) {
    auto tokens = MakeFileAuthenticator({flags.token_file, options.clock, log});
    if (!tokens.ok()) return InFlag("--token-file", tokens.status());
    options.authenticator = *std::move(tokens);
  }
  for (const std::string& path : flags.dictionaries) {
    absl::StatusOr<std::string> dictionary = ReadFile(path, ZstdCodec::kMaxDictionaryBytes);
    if (!dictionary.ok()) return InFlag("--dictionary", dictionary.status());
    options.dictionaries.push_back(*std::move(dictionary));
    const absl::Status known = ZstdCodec::Create(options.dictionaries).status();
    if (!known.ok()) return InFlag("--dictionary", known);
  }
  if (flags.tls_cert.empty() != flags.tls_key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key go together");
  }
  options.tls.certificate_file = flags.tls_cert;
  options.tls.key_file = flags.tls_key;
  options.tls.ca_file = flags.tls_ca;
  SwitchOff(flags.without, &options.extensions);
  if (flags.client && !options.extensions.client) {
    return absl::InvalidArgumentError("--without client: only with --member");
  }
  return options;
}

Compression CompressionFor(const ManagerOptions& options) {
  Compression compression{.enabled = true};
  if (options.dictionaries.empty()) return compression;
  compression.dictionary = ZstdCodec::IdOf(options.dictionaries.front());
  compression.min_bytes = 1;
  return compression;
}

absl::StatusOr<std::string> ListenAddressOf(const std::string& name) {
  const absl::StatusOr<HostUrl> url = ParseHostUrl(name);
  if (!url.ok()) return url.status();
  const bool v6 = url->host.find(':') != std::string::npos;
  return v6 ? absl::StrCat("[", url->host, "]:", url->port)
            : absl::StrCat(url->host, ":", url->port);
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("can't open ", path));
  std::string content(limit + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (file.bad()) return absl::UnavailableError(absl::StrCat("can't read ", path));
  content.resize(static_cast<size_t>(file.gcount()));
  if (content.size() > limit) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has more than ", limit, " bytes"));
  }
  return content;
}

}  // namespace grid::tools
