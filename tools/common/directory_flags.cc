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

absl::Status Wrong(const std::string& why) { return absl::InvalidArgumentError(why); }

absl::Status CheckUrl(const std::string& text) {
  const auto url = ParseHostUrl(text);
  if (url.ok()) return absl::OkStatus();
  return Wrong(absl::StrCat("--directory: ", url.status().message()));
}

absl::StatusOr<EtcdOptions> MakeEtcdOptions(const DirectoryFlags& flags, absl::string_view urls) {
  EtcdOptions etcd;
  etcd.endpoints = absl::StrSplit(urls, ',');
  for (const std::string& endpoint : etcd.endpoints) {
    if (absl::Status status = CheckUrl(endpoint); !status.ok()) return status;
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

absl::StatusOr<DirectoryChoice> ChooseDirectory(const DirectoryFlags& flags) {
  DirectoryChoice choice;
  absl::string_view rest = flags.directory;
  if (rest.empty() || rest == "none") return choice;
  if (rest == "hosted") {
    choice.kind = DirectoryChoice::Kind::kHosted;
    return choice;
  }
  if (absl::ConsumePrefix(&rest, "hosted:")) {
    choice.kind = DirectoryChoice::Kind::kHosted;
    choice.host = std::string(rest);
    if (absl::Status status = CheckUrl(choice.host); !status.ok()) return status;
    return choice;
  }
  if (absl::ConsumePrefix(&rest, "etcd:")) {
    choice.kind = DirectoryChoice::Kind::kEtcd;
    absl::StatusOr<EtcdOptions> etcd = MakeEtcdOptions(flags, rest);
    if (!etcd.ok()) return etcd.status();
    choice.etcd = *std::move(etcd);
    return choice;
  }
  return Wrong(absl::StrCat("--directory ", flags.directory,
                            ": not hosted, hosted:URL, etcd:URL,... or none"));
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
