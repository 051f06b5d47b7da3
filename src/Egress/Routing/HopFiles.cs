using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Angarium.Egress.Routing;

/// <summary>The files that a route names: read at start to find mistakes, and again for each connection, so that a change needs no restart. Holds nothing.</summary>
internal static class HopFiles
{
    private const int MaxLoginFile = 4096;

    /// <exception cref="InvalidDataException">Why not, in one line without any of its contents.</exception>
    public static (string User, string Password) ReadLogin(string file)
    {
        try
        {
            if (new FileInfo(file).Length > MaxLoginFile) throw new InvalidDataException();
            var lines = File.ReadAllLines(file);
            if (lines.Length < 2 || lines[0].Length == 0 || lines[0].Contains('\0', StringComparison.Ordinal) || lines[1].Contains('\0', StringComparison.Ordinal)) throw new InvalidDataException();
            return (lines[0], lines[1]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new InvalidDataException($"the login file {file} cannot be read; it holds user name and password on two lines", e);
        }
    }

    /// <exception cref="InvalidDataException">Why not, in one line.</exception>
    public static X509Certificate2Collection ReadAuthorities(string file)
    {
        var all = new X509Certificate2Collection();
        try
        {
            all.ImportFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new InvalidDataException($"the authorities in {file} cannot be read; it holds certificates as PEM", e);
        }

        return all.Count > 0 ? all : throw new InvalidDataException($"{file} holds no authority; it holds certificates as PEM");
    }
}
