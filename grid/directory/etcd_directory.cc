#include "grid/directory/etcd_directory.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/directory/directory_client.h"
#include "grid/directory/etcd_backend.h"
#include "grid/directory/etcd_gateway.h"
#include "grid/transport/url.h"

namespace grid {

absl::StatusOr<std::unique_ptr<Directory>> MakeEtcdDirectory(EtcdOptions etcd,
                                                             DirectoryOptions options) {
  if (absl::Status status = options.Check(); !status.ok()) return status;
  if (options.clock == nullptr) options.clock = RealClock();
  if (etcd.endpoints.empty()) {
    return absl::InvalidArgumentError("EtcdOptions::endpoints: there must be at least one");
  }
  for (const std::string& endpoint : etcd.endpoints) {
    const auto url = ParseHostUrl(endpoint);
    if (url.ok()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("EtcdOptions::endpoints: ", url.status().message()));
  }
  if (etcd.user.empty() != etcd.password.empty()) {
    return absl::InvalidArgumentError("EtcdOptions: user and password go together");
  }
  auto http = MakeHttpClient(*options.io, options.clock,
                             {.certificate_file = etcd.certificate_file,
                              .key_file = etcd.key_file,
                              .ca_file = etcd.ca_file},
                             {.max_idle = etcd.max_idle_connections});
  if (!http.ok()) return http.status();
  const std::string prefix = etcd.prefix;
  auto gateway =
      std::make_shared<internal::EtcdGateway>(options.clock, std::move(etcd), *std::move(http));
  auto backend = std::make_unique<internal::EtcdBackend>(std::move(gateway), prefix, options.lease,
                                                         options.attempt);
  return MakeDirectory(std::move(options), std::move(backend));
}

}  // namespace grid
