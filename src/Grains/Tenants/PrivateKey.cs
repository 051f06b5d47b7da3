using System.Security.Cryptography;
using Angarium.Mail.Dkim;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Org.BouncyCastle.Security;

namespace Angarium.Grains.Tenants;

/// <summary>A private key of DKIM at work: RSA of 2,048 bits (RFC 8301 §3.2) or Ed25519 (RFC 8463). Any thread. In silos only.</summary>
internal abstract class PrivateKey : IDisposable
{
    private const int RsaBits = 2_048;

    /// <summary>What is stored, sealed.</summary>
    public abstract byte[] Secret { get; }

    /// <summary>What stands in `p=` of its record.</summary>
    public abstract string Public { get; }

    /// <summary>Signs the SHA-256 of the signed fields.</summary>
    public abstract byte[] Sign(byte[] digest);

    public static PrivateKey Create(DkimAlgorithm algorithm)
    {
        if (algorithm == DkimAlgorithm.RsaSha256) return new RsaKey(RSA.Create(RsaBits));
        var generator = new Ed25519KeyPairGenerator();
        generator.Init(new Ed25519KeyGenerationParameters(new SecureRandom()));
        return new EdKey((Ed25519PrivateKeyParameters)generator.GenerateKeyPair().Private);
    }

    /// <exception cref="CryptographicException">It is no such key.</exception>
    public static PrivateKey Load(DkimAlgorithm algorithm, byte[] secret)
    {
        if (algorithm != DkimAlgorithm.RsaSha256) return new EdKey(new Ed25519PrivateKeyParameters(secret));
        var rsa = RSA.Create();
        rsa.ImportPkcs8PrivateKey(secret, out _);
        return new RsaKey(rsa);
    }

    public virtual void Dispose()
    {
    }

    private sealed class RsaKey(RSA rsa) : PrivateKey
    {
        public override byte[] Secret => rsa.ExportPkcs8PrivateKey();

        // RFC 6376 §3.6.1 with erratum 3017: a SubjectPublicKeyInfo.
        public override string Public => Convert.ToBase64String(rsa.ExportSubjectPublicKeyInfo());

        public override byte[] Sign(byte[] digest) => rsa.SignHash(digest, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);

        public override void Dispose()
        {
            rsa.Dispose();
            base.Dispose();
        }
    }

    private sealed class EdKey(Ed25519PrivateKeyParameters key) : PrivateKey
    {
        public override byte[] Secret => key.GetEncoded();

        // RFC 8463 §4: the 32 octets alone.
        public override string Public => Convert.ToBase64String(key.GeneratePublicKey().GetEncoded());

        // RFC 8463 §3: pure Ed25519 over the digest.
        public override byte[] Sign(byte[] digest)
        {
            var signer = new Ed25519Signer();
            signer.Init(forSigning: true, key);
            signer.BlockUpdate(digest, 0, digest.Length);
            return signer.GenerateSignature();
        }
    }
}
