// TestCertificates: an authority and certificates that it signed, as PEM files in a folder of the
// test's own.
//
//   TestCertificates pki("authority");
//   CertificateFiles node = pki.Issue("node", "DNS:localhost,IP:127.0.0.1");
#ifndef GRID_TESTS_LIVE_TEST_CERTIFICATES_H_
#define GRID_TESTS_LIVE_TEST_CERTIFICATES_H_

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <stdexcept>
#include <string>

#include "tests/temp_dir.h"

namespace grid::live {

struct CertificateFiles {
  std::string certificate;
  std::string key;
};

class TestCertificates {
 public:
  explicit TestCertificates(const std::string& name) : name_(name) {
    key_ = EVP_EC_gen("P-256");
    certificate_ = Make(name, key_, "", nullptr, nullptr);
    ca_file_ = WriteCertificate("ca", certificate_);
  }
  ~TestCertificates() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  const std::string& ca_file() const { return ca_file_; }

  CertificateFiles Issue(const std::string& name, const std::string& alternative_names) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = Make(name, key, alternative_names, certificate_, key_);
    CertificateFiles files{WriteCertificate(name, certificate), folder_.File(name + ".key")};
    FILE* file = std::fopen(files.key.c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return files;
  }

 private:
  // Signed by itself without an issuer.
  static X509* Make(const std::string& name, EVP_PKEY* key, const std::string& alternative_names,
                    X509* issuer, EVP_PKEY* issuer_key) {
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    static long serial = 1;
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    Add(subject, "O", "Grid Test");
    Add(subject, "CN", name);
    X509_set_issuer_name(certificate, issuer == nullptr ? subject : X509_get_subject_name(issuer));
    Extend(certificate, issuer, NID_basic_constraints,
           issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
    if (!alternative_names.empty())
      Extend(certificate, issuer, NID_subject_alt_name, alternative_names);
    X509_sign(certificate, issuer == nullptr ? key : issuer_key, EVP_sha256());
    return certificate;
  }

  static void Add(X509_NAME* subject, const char* field, const std::string& value) {
    X509_NAME_add_entry_by_txt(subject, field, MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
  }

  static void Extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer == nullptr ? certificate : issuer, certificate, nullptr,
                   nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  std::string WriteCertificate(const std::string& name, X509* certificate) const {
    std::string path = folder_.File(name + ".pem");
    FILE* file = std::fopen(path.c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
    return path;
  }

  const std::string name_;
  test::TempDir folder_;
  std::string ca_file_;
  EVP_PKEY* key_ = nullptr;
  X509* certificate_ = nullptr;
};

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_TEST_CERTIFICATES_H_
