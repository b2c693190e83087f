#include "tools/common/directory_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "grid/transport/url.h"
#include "tools/common/node_flags.h"

namespace grid::tools {
namespace {

constexpr size_t kMaxPasswordBytes = 4096;

constexpr char kPlainEtcd[] = "etcd://";
constexpr char kTlsEtcd[] = "etcds://";

// What an option of etcd's needs: any --directory in etcd, or one over TLS.
enum class Needs { kEtcd, kTls };

struct EtcdFlag {
  const char* name;
  std::string DirectoryFlags::*value;
  Needs needs;
  const char* help;
};

constexpr EtcdFlag kEtcdFlags[] = {
    {"--etcd-user", &DirectoryFlags::etcd_user, Needs::kEtcd, "user of etcd"},
    {"--etcd-password-file", &DirectoryFlags::etcd_password_file, Needs::kEtcd,
     "file with its password"},
    {"--etcd-prefix", &DirectoryFlags::etcd_prefix, Needs::kEtcd,
     "in front of all keys in etcd, another one for each cluster; otherwise grid/"},
    {"--etcd-ca", &DirectoryFlags::etcd_ca, Needs::kTls,
     "authorities trusted to certify etcd (PEM); otherwise the system's"},
    {"--etcd-cert", &DirectoryFlags::etcd_cert, Needs::kTls, "our certificate for etcd (PEM)"},
    {"--etcd-key", &DirectoryFlags::etcd_key, Needs::kTls, "its private key (PEM)"},
};

absl::Status Wrong(const std::string& why) { return absl::InvalidArgumentError(why); }
absl::Status WrongDirectory(const DirectoryFlags& flags, absl::string_view why) {
  return Wrong(absl::StrCat("--directory ", flags.directory, ": ", why));
}

// What nothing would look at was meant for another --directory.
absl::Status CheckEtcdFlags(const DirectoryFlags& flags) {
  const bool tls = absl::StartsWith(flags.directory, kTlsEtcd);
  for (const EtcdFlag& flag : kEtcdFlags) {
    const bool used = flag.needs == Needs::kTls ? tls : IsEtcd(flags);
    if (used || (flags.*flag.value).empty()) continue;
    return Wrong(absl::StrCat(flag.name, ": needs --directory ",
                              flag.needs == Needs::kTls ? "" : "etcd://HOST:PORT,... or ",
                              "etcds://HOST:PORT,..."));
  }
  return absl::OkStatus();
}

// Where etcd is.
absl::StatusOr<std::vector<std::string>> EtcdEndpoints(const DirectoryFlags& flags) {
  std::vector<std::string> endpoints;
  absl::string_view addresses = flags.directory;
  const bool tls = absl::ConsumePrefix(&addresses, kTlsEtcd);
  if (!tls) absl::ConsumePrefix(&addresses, kPlainEtcd);
  for (const absl::string_view address : absl::StrSplit(addresses, ',')) {
    std::string endpoint = absl::StrCat(tls ? "https://" : "http://", address);
    const absl::StatusOr<HostUrl> url = ParseHostUrl(endpoint);
    if (!url.ok() || !absl::EndsWith(address, absl::StrCat(":", url->port))) {
      return WrongDirectory(flags, absl::StrCat("\"", address, "\" is not HOST:PORT"));
    }
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

// How it is used.
absl::Status ReadEtcdFlags(const DirectoryFlags& flags, EtcdOptions* etcd) {
  if (flags.etcd_user.empty() != flags.etcd_password_file.empty()) {
    return Wrong("--etcd-user and --etcd-password-file go together");
  }
  if (flags.etcd_cert.empty() != flags.etcd_key.empty()) {
    return Wrong("--etcd-cert and --etcd-key go together");
  }
  if (!flags.etcd_user.empty()) {
    absl::StatusOr<std::string> password = ReadFile(flags.etcd_password_file, kMaxPasswordBytes);
    if (!password.ok()) {
      return Wrong(absl::StrCat("--etcd-password-file: ", password.status().message()));
    }
    absl::StripTrailingAsciiWhitespace(&*password);
    if (password->empty()) return Wrong("--etcd-password-file: the file is empty");
    etcd->user = flags.etcd_user;
    etcd->password = *std::move(password);
  }
  if (!flags.etcd_prefix.empty()) etcd->prefix = flags.etcd_prefix;
  etcd->ca_file = flags.etcd_ca;
  etcd->certificate_file = flags.etcd_cert;
  etcd->key_file = flags.etcd_key;
  return absl::OkStatus();
}

// What --directory alone says.
absl::StatusOr<DirectoryChoice> ReadDirectory(const DirectoryFlags& flags) {
  using Kind = DirectoryChoice::Kind;
  absl::string_view text = flags.directory;
  if (text.empty() || text == "none") return DirectoryChoice{.kind = Kind::kNone};
  if (text == "local") return DirectoryChoice{.kind = Kind::kLocal};
  if (text == "hosted") return DirectoryChoice{.kind = Kind::kHosted};
  if (absl::ConsumePrefix(&text, "hosted:")) {
    DirectoryChoice choice{.kind = Kind::kHosted, .host = std::string(text)};
    const absl::StatusOr<HostUrl> url = ParseHostUrl(choice.host);
    if (!url.ok()) return WrongDirectory(flags, url.status().message());
    return choice;
  }
  if (IsEtcd(flags)) {
    absl::StatusOr<std::vector<std::string>> endpoints = EtcdEndpoints(flags);
    if (!endpoints.ok()) return endpoints.status();
    return DirectoryChoice{.kind = Kind::kEtcd, .etcd = {.endpoints = *std::move(endpoints)}};
  }
  return WrongDirectory(flags,
                        "not local, hosted, hosted:URL, etcd://HOST:PORT[,HOST:PORT]..., "
                        "etcds://HOST:PORT[,HOST:PORT]... or none");
}

}  // namespace

void AddDirectoryFlags(CLI::App& app, const std::string& help, DirectoryFlags* flags) {
  app.add_option("--directory", flags->directory, help)->capture_default_str();
  for (const EtcdFlag& flag : kEtcdFlags) {
    app.add_option(flag.name, flags->*flag.value, flag.help);
  }
}

bool IsEtcd(const DirectoryFlags& flags) {
  return absl::StartsWith(flags.directory, kPlainEtcd) ||
         absl::StartsWith(flags.directory, kTlsEtcd);
}

absl::StatusOr<DirectoryChoice> ChooseDirectory(const DirectoryFlags& flags) {
  absl::StatusOr<DirectoryChoice> choice = ReadDirectory(flags);
  if (!choice.ok()) return choice;
  absl::Status status = CheckEtcdFlags(flags);
  if (status.ok()) status = ReadEtcdFlags(flags, &choice->etcd);
  if (!status.ok()) return status;
  return choice;
}

absl::StatusOr<std::vector<std::string>> DirectoryHosts(std::vector<std::string> members,
                                                        const std::string& host) {
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  if (host.empty()) return members;
  const auto serves = std::find(members.begin(), members.end(), host);
  if (serves == members.end()) {
    return Wrong(absl::StrCat("--directory hosted:", host, ": neither --local nor a --peer"));
  }
  std::rotate(members.begin(), serves, serves + 1);
  return members;
}

}  // namespace grid::tools
