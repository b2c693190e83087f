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

absl::Status Wrong(const std::string& why) { return absl::InvalidArgumentError(why); }
absl::Status WrongDirectory(const DirectoryFlags& flags, absl::string_view why) {
  return Wrong(absl::StrCat("--directory ", flags.directory, ": ", why));
}

absl::StatusOr<EtcdOptions> MakeEtcdOptions(const DirectoryFlags& flags) {
  EtcdOptions etcd;
  absl::string_view addresses = flags.directory;
  const bool tls = absl::ConsumePrefix(&addresses, kTlsEtcd);
  if (!tls) absl::ConsumePrefix(&addresses, kPlainEtcd);
  for (const absl::string_view address : absl::StrSplit(addresses, ',')) {
    std::string endpoint = absl::StrCat(tls ? "https://" : "http://", address);
    const absl::StatusOr<HostUrl> url = ParseHostUrl(endpoint);
    if (!url.ok() || !absl::EndsWith(address, absl::StrCat(":", url->port))) {
      return WrongDirectory(flags, absl::StrCat("\"", address, "\" is not HOST:PORT"));
    }
    etcd.endpoints.push_back(std::move(endpoint));
  }
  if (!tls && !(flags.etcd_ca.empty() && flags.etcd_cert.empty() && flags.etcd_key.empty())) {
    return WrongDirectory(flags, "--etcd-ca, --etcd-cert and --etcd-key are for etcds://");
  }
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
    etcd.user = flags.etcd_user;
    etcd.password = *std::move(password);
  }
  if (!flags.etcd_prefix.empty()) etcd.prefix = flags.etcd_prefix;
  etcd.ca_file = flags.etcd_ca;
  etcd.certificate_file = flags.etcd_cert;
  etcd.key_file = flags.etcd_key;
  return etcd;
}

}  // namespace

void AddDirectoryFlags(CLI::App& app, const std::string& help, DirectoryFlags* flags) {
  app.add_option("--directory", flags->directory, help)->capture_default_str();
  app.add_option("--etcd-user", flags->etcd_user, "user of etcd");
  app.add_option("--etcd-password-file", flags->etcd_password_file, "file with its password");
  app.add_option("--etcd-prefix", flags->etcd_prefix,
                 "in front of all keys in etcd, another one for each cluster; otherwise grid/");
  app.add_option("--etcd-ca", flags->etcd_ca,
                 "authorities trusted to certify etcd (PEM); otherwise the system's");
  app.add_option("--etcd-cert", flags->etcd_cert, "our certificate for etcd (PEM)");
  app.add_option("--etcd-key", flags->etcd_key, "its private key (PEM)");
}

bool IsEtcd(const DirectoryFlags& flags) {
  return absl::StartsWith(flags.directory, kPlainEtcd) ||
         absl::StartsWith(flags.directory, kTlsEtcd);
}

absl::StatusOr<DirectoryChoice> ChooseDirectory(const DirectoryFlags& flags) {
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
    absl::StatusOr<EtcdOptions> etcd = MakeEtcdOptions(flags);
    if (!etcd.ok()) return etcd.status();
    return DirectoryChoice{.kind = Kind::kEtcd, .etcd = *std::move(etcd)};
  }
  return WrongDirectory(flags,
                        "not local, hosted, hosted:URL, etcd://HOST:PORT[,HOST:PORT]..., "
                        "etcds://HOST:PORT[,HOST:PORT]... or none");
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
